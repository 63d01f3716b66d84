"""Attendance engine: shifts and punches in, day records out; no database, no clock."""
