"""Timmy, AiFace and other terminals that push JSON over a WebSocket."""
