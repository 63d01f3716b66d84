"""What systems send by themselves: is it from them, is it new, what is in it."""
