#!/usr/bin/env python3
"""Ablations of DDQN.py's default: a preset without each of its parts, with the same number of decisions and updates.

python benchmarks/learning/ablations.py --preset no-double --seeds 1:3                              one of them
python sweep.py benchmarks/learning/ablations.py --preset '*' --seeds 1:3 --metric test --jobs 2    all, ranked
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import system.startup  # isort: skip  # noqa: F401

import DDQN
import DQN
from agents.q_agent import QAgent
from agents.replay import PrioritisedReplay
from training.main import main
from training.settings import changed, flat

DECISIONS = 80_000  # of every run; schedules by updates are shortened with it
ABLATIONS: dict[str, dict[str, Any]] = {
    "default": {},
    "no-double": {"double": False},
    "no-priorities": {"alpha": 0.0},  # equal priorities, so all importance weights are 1
    "huber-threshold-1": {"huber_delta": 1.0},
    "n-step-1": {"n_step": 1},
    "no-dueling": {"dueling": False},
    "no-mirror": {"mirror": False},
    "no-gauges": {"gauges": False},
    "no-grass-penalty": {"grass_penalty": 0.0},
    "no-missed-tile-penalty": {"missed_tile_penalty": 0.0},
    "every-missed-tile": {"max_missed_tiles": 1000},
    "no-crawl-penalty": {"crawl_penalty": 0.0},
    "no-speed-limit": {"speed_limit": 0.0},
    "no-slip-penalty": {"slip_penalty": 0.0},
    "no-reward-offset": {"reward_offset": 0.0},
    "no-averaging": {"ema_rate": 1.0},
    "constant-learning-rate": {"learning_rate_updates": 10**9},
    "small-replay": {"replay_capacity": 20_000},
    "stock-actions": {"actions": "stock"},
    "greedy-as-training": {"greedy_frame_skip": 4},
}


@dataclass(frozen=True)
class Settings(DDQN.Settings):
    """Train a prioritised DQN without one of its parts."""

    double: bool = True
    """Learn from the TD error of DDQN.py, which is that of Double Q-learning; otherwise from that of DQN.py."""


class AblatedDDQN(DDQN.DDQN, QAgent[Settings, PrioritisedReplay]):
    """DDQN with a TD error chosen by its settings."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.td_error = DDQN.td_error if settings.double else DQN.td_error


def shortened(default: Settings, decisions: int) -> Settings:
    """Return the default with another number of decisions and proportionally shortened schedules."""
    share = decisions / default.decisions
    schedules = ("learning_rate_updates", "beta_updates")
    scaled = {name: round(flat(default)[name] * share) for name in schedules}
    return changed(default, decisions=decisions, **scaled)


DEFAULT = shortened(Settings(), DECISIONS)
PRESETS = {name: changed(DEFAULT, preset=name, **values) for name, values in ABLATIONS.items()}

if __name__ == "__main__":
    main(AblatedDDQN, PRESETS)
