"""Live frames: what changed, to whom it may be told."""
