"""Rows to views: each answer is read from one state of the database, within the viewer's scope."""
