"""Encryption of single values: algorithms, sealed values, keys. Pure: no database, no settings."""
