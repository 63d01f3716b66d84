"""Use cases: load, calculate, store."""
