"""Control iD access terminals."""
