"""Canonical facts: what any business system says, in one form."""
