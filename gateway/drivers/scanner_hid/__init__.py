"""Barcode scanners that act as a keyboard."""
