"""Registers the fast world with Gymnasium, without loading it."""

from __future__ import annotations

import gymnasium

ENV_ID = "CarRacingFast-v3"


def register_envs() -> None:
    """Register ENV_ID for `gymnasium.make`; a second call changes nothing."""
    if ENV_ID not in gymnasium.registry:
        # By name, so that the spec can be serialised and used in another process.
        gymnasium.register(ENV_ID, entry_point="racing.gym_env:FastCarRacing")
