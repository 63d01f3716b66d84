"""Terminals that push in the FK web protocol (Realand, Hysoon, Comet, Biomax and more)."""
