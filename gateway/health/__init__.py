"""State for IT: what the gateway, its outbox and its terminals are doing now."""
