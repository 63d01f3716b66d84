"""The console script, the demo and replay: the only package that sees both sides, and loads each only when asked."""
