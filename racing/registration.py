"""Tells Gymnasium of the fast world, without loading it."""

from __future__ import annotations

import gymnasium

ENV_ID = "CarRacingFast-v3"


def register_envs() -> None:
    """Make `gymnasium.make(ENV_ID)` known; a second time changes nothing."""
    if ENV_ID not in gymnasium.registry:
        # By name, so that its spec can be written down and read in another process.
        gymnasium.register(ENV_ID, entry_point="racing.gym_env:FastCarRacing")
