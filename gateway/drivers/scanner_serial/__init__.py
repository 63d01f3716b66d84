"""Barcode scanners on a serial line, live and batch."""
