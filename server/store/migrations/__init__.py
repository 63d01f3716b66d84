"""Alembic environment and revisions; a released revision is never edited."""
