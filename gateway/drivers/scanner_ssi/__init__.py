"""Zebra scanners with packets and acknowledgements (SSI) on a serial line."""
