"""How fast the fastest possible lap is: a bound from above, and a driver that sees everything from below."""
