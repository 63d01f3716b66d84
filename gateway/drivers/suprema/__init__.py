"""Suprema terminals through their BioStar 2 server."""
