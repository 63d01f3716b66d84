"""Hanvon face terminals: the FaceID text protocol over TCP, port 9922."""
