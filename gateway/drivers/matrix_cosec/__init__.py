"""Matrix COSEC terminals and door controllers."""
