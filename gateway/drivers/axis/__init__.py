"""Axis network door controllers."""
