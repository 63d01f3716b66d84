"""Who may do what to whose data: pure decisions."""
