"""A window for people: opening it, keys and gamepad, and what is drawn in it. Knows no agent."""

import racing  # noqa: F401  (before pygame, which would greet)
