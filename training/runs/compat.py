"""Converts settings of earlier versions to the current names."""

from __future__ import annotations

from typing import Any

RENAMED = {
    "learn_from": "learning_starts",
    "replay_decisions": "replay_capacity",
    "huber_threshold": "huber_delta",
    "gradient_clip_norm": "max_grad_norm",
    "average_rate": "ema_rate",
    "slots_per_tick": "steps_per_tick",
}
# Settings that were added later, with the values that applied before.
ADDED = {
    "until_score": 0.0,
    "patience": 0,
    "hours": 0.0,
    "keep_checkpoints": 2,
    "weights": "",
    "track": "",
    "pool": "processes",
    "address": "",
    "mirror_to": "",
    "gauges": True,
    "max_missed_tiles": 1000,
}


def renamed(config: dict[str, Any]) -> dict[str, Any]:
    """Convert a config.json to the current names; earlier versions counted cars per actor."""
    new = {RENAMED.get(name, name): value for name, value in config.items()}
    if "actors" in new:
        actors, cars = new.pop("actors"), new.get("cars", 0)
        new |= {"cars": actors * cars, "cars_per_actor": cars}
    return new
