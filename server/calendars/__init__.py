"""Calendars as editions: legal days, adjusted workdays, checks and differences; no database, no clock."""
