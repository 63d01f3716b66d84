"""One process at a depot: drives terminals, keeps every event, syncs when it can."""
