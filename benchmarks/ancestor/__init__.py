"""The recipes of the project that this one descends from."""
