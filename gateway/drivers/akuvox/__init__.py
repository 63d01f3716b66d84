"""Akuvox intercoms and access terminals."""
