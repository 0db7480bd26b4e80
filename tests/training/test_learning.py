"""A tiny pixel task is learned through the real network, replay, agent, actors and trainer, or it is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import DDQN
import DQN
from agents.backend import tf
from agents.network import QNetwork
from agents.replay import Batch
from racing.tracks import VALIDATION
from tests.support.corridor import best_score, ddqn, dqn, drive_there, last_validation
from training.settings import RunSettings

pytestmark = pytest.mark.slow
OPTIMUM = best_score(list(VALIDATION[:10]))
LONG_ENOUGH: dict[str, Any] = {
    "decisions": 5_000,
    "validate_every": 5_000,
    "checkpoint_every": 5_000,
}


class ShortSighted(DQN.DQN):
    """A broken target: what comes after is worth nothing."""

    @staticmethod
    def td_error(online: QNetwork, target: QNetwork, batch: Batch) -> tf.Tensor:
        nothing = batch._replace(discount=tf.zeros_like(batch.discount))
        return DQN.td_error(online, target, nothing)


class UpsideDown(DDQN.DDQN):
    """A broken target: the wrong sign before the reward."""

    @staticmethod
    def td_error(online: QNetwork, target: QNetwork, batch: Batch) -> tf.Tensor:
        return DDQN.td_error(online, target, batch._replace(n_step_return=-batch.n_step_return))


@pytest.mark.parametrize("settings", [ddqn, dqn], ids=["DDQN", "DQN"])
def test_it_is_learned(tmp_path: Path, settings: Any) -> None:
    wanted: RunSettings = settings(tmp_path, **LONG_ENOUGH)
    assert last_validation(drive_there(wanted).run) > OPTIMUM - 0.25


@pytest.mark.parametrize(("settings", "agent"), [(dqn, ShortSighted), (ddqn, UpsideDown)])
def test_with_a_broken_target_it_is_not_learned(tmp_path: Path, settings: Any, agent: Any) -> None:
    done = drive_there(settings(tmp_path, **LONG_ENOUGH), agent)
    assert last_validation(done.run) < 0.6 * OPTIMUM


def test_without_learning_it_is_not_learned(tmp_path: Path) -> None:
    done = drive_there(ddqn(tmp_path, learning_rate=0, decisions=960))
    assert last_validation(done.run) < 0.6 * OPTIMUM
