"""Hikvision access terminals over ISAPI: search of the log, live stream, and pushes."""
