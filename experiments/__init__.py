"""Many runs by one command: several seeds of the same settings, and searches over settings."""
