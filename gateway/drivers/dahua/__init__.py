"""Dahua and Intelbras access terminals over CGI: search of the log, live stream, and pushed reports."""
