"""A whole installation on this machine for the demo and the replays: settings, child processes, a count at the end."""
