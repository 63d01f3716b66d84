"""Links and fronts that several families share."""
