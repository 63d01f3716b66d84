"""Sources: how another system is asked, and how its rows become facts."""
