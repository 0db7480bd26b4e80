"""Actors, which collect experience, and the workers that run them."""
