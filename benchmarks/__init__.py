"""Figures to hold: each bench measures ours and, in the same run, the limit or a peer."""
