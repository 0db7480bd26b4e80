"""Benchmarks: speed, learning, robustness, the ancestor, and the highest possible score. See README.md."""
