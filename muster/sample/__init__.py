"""A generated company: people, rosters, parcels and what happened at its doors. Pure, the same for the same seed."""
