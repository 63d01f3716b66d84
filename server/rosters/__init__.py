"""Rules of planning: patterns laid out, conflicts and limits of the law; no database, no clock."""
