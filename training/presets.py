"""Presets: values that differ from the defaults, for both scripts, by flat names."""

from __future__ import annotations

from typing import Any

# The highest score, in about an hour.
LONG: dict[str, Any] = {
    "preset": "long",
    "decisions": 1_000_000,
    "greedy_frame_skip": 1,
    "missed_tile_penalty": 60.0,
    "max_missed_tiles": 1000,  # all of them, as in the recorded runs
    "slip_limit": 8.0,
    "slip_penalty": 5.0,
    "learning_starts": 10_000,
    "epsilon_decisions": 30_000,
    "replay_capacity": 1_000_000,
    "convolutions": ((16, 6, 3), (32, 4, 2), (64, 3, 1)),
    "dense": (512,),
    "learning_rate": 6e-4,
    "learning_rate_updates": 46_000,
    "huber_delta": 40.0,
    "ema_rate": 2e-4,
    "validate_every": 200_000,
    "validation_tracks": 128,
}

# Many cores and a GPU: four times as many cars and updates per tick as by default. The replay ratio stays the same,
# more workers can be used, and weights are sent a quarter as often.
SERVER: dict[str, Any] = {"preset": "server", "cars": 64, "updates_per_tick": 80}

# A run of a few seconds, to check that everything works.
SMOKE: dict[str, Any] = {
    "preset": "smoke",
    "decisions": 3072,
    "cars": 8,
    "steps_per_tick": 8,
    "height": 16,
    "width": 20,
    "stack": 2,
    "convolutions": ((4, 4, 2),),
    "dense": (16,),
    "batch_size": 16,
    "updates_per_tick": 3,
    "target_update_period": 20,
    "learning_starts": 256,
    "replay_capacity": 1600,
    "epsilon_decisions": 2000,
    "checkpoint_every": 1000,
    "validate_every": 1536,
    "validation_tracks": 2,
    "test_episodes": 2,
}
