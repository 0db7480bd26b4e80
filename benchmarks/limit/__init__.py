"""How fast the best possible lap is: an upper bound of the score, and a lap by a driver with full information."""
