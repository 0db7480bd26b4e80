"""Many runs with one command: several seeds of the same settings, and searches over settings."""
