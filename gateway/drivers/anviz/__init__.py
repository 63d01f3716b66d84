"""Anviz terminals: the TC_B binary protocol over TCP, port 5010."""
