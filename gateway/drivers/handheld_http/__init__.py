"""Handhelds that post their scans as JSON."""
