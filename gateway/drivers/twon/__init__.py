"""2N intercoms and access units."""
