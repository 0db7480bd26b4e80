"""Robustness: what a run survives, and what that costs."""
