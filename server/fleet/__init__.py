"""Gateways, terminals, what they may say on the broker, and how they are."""
