"""The drivers, one evaluation protocol for all of them, and scores."""
