"""Trend, correlation and forecast: figures to look at, computed from values that were observed (KS-18).

Nothing that makes a score or pay may import this package; ``.importlinter`` holds it to that.
"""
