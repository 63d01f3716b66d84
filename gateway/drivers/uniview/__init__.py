"""Uniview face terminals that push in LAPI."""
