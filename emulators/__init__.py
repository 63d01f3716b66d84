"""Terminals and scanners from the device's side of the wire; they share no code with the drivers they test."""
