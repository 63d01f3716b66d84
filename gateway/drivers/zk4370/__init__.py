"""ZK standalone terminals on port 4370: pull of the log, and punches as they happen."""
