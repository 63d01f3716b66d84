"""Scoring engine: facts in, exact points out; no database, no clock."""
