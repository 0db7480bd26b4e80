"""The training recipes of the ancestor, the project that this one descends from."""
