"""Families of terminals and scanners, each found by its entry point."""
