"""Punches from files: USB exports, clock files of the law, and tables of vendor software."""
