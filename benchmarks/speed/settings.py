"""Settings of runs whose ticks are measured: learning begins soon, and nothing else comes between."""

from __future__ import annotations

NEVER = 10**9  # decisions
LEARNING_STARTS = 1024  # decisions: soon
UNINTERRUPTED = {
    "learning_starts": LEARNING_STARTS,
    "validate_every": NEVER,
    "checkpoint_every": NEVER,
    "test_episodes": 0,
}
