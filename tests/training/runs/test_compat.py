"""Runs of earlier versions are read by today's names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import DDQN
import DQN
from training.runs.compat import ADDED, renamed
from training.settings import check, flat, from_json

ROOT = Path(__file__).parents[3]
RECORDED = sorted((ROOT / "results" / "runs").glob("*/config.json"))


@pytest.mark.parametrize("path", RECORDED, ids=lambda p: p.parent.name)
def test_every_recorded_run_gives_settings_of_today(path: Path) -> None:
    """All of them, and nothing but them."""
    settings = (DDQN if path.parent.name.startswith("ddqn") else DQN).Settings()
    config = ADDED | renamed(json.loads(path.read_text()))
    assert config.keys() == flat(settings).keys()
    check(from_json(settings, config))


def test_cars_were_counted_by_actor() -> None:
    old = {"actors": 2, "cars": 16, "learn_from": 5, "gamma": 0.9}
    assert renamed(old) == {"cars": 32, "cars_per_actor": 16, "learning_starts": 5, "gamma": 0.9}
    new = {"cars": 32, "cars_per_actor": 1}
    assert renamed(new) == new
