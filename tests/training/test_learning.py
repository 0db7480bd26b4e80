"""A tiny pixel task is learned through the real network, replay, learner, actors and trainer, or it is not."""

from __future__ import annotations

from pathlib import Path

import pytest
from agents.td import Network, TdError, double_q_learning, q_learning

from agents.backend import tf
from agents.replay import Batch
from racing.tracks import VALIDATION
from tests.support.corridor import Run, best_score, drive_there

pytestmark = pytest.mark.slow
OPTIMUM = best_score(list(VALIDATION[:10]))


@pytest.fixture(autouse=True)
def corridor(monkeypatch: pytest.MonkeyPatch) -> None:
    """The actors drive in the corridor."""
    drive_there(monkeypatch)


def short_sighted(online: Network, target: Network, batch: Batch) -> tf.Tensor:
    """A broken target: what comes after is worth nothing."""
    return q_learning(online, target, batch._replace(discount=tf.zeros_like(batch.discount)))


def upside_down(online: Network, target: Network, batch: Batch) -> tf.Tensor:
    """A broken target: the wrong sign before the reward."""
    return q_learning(online, target, batch._replace(n_step_return=-batch.n_step_return))


@pytest.mark.parametrize(
    ("td_error", "prioritised"),
    [(double_q_learning, True), (q_learning, False)],
    ids=["DDQN", "DQN"],
)
def test_it_is_learned(tmp_path: Path, td_error: TdError, prioritised: bool) -> None:
    run = Run(tmp_path, td_error=td_error, prioritised=prioritised)
    run.train()
    assert run.last_validation() > OPTIMUM - 0.25


@pytest.mark.parametrize("broken", [short_sighted, upside_down])
def test_with_a_broken_target_it_is_not_learned(tmp_path: Path, broken: TdError) -> None:
    run = Run(tmp_path, td_error=broken)
    run.train()
    assert run.last_validation() < 0.6 * OPTIMUM


def test_without_learning_it_is_not_learned(tmp_path: Path) -> None:
    run = Run(tmp_path, learning_rate=0.0)
    run.train()
    assert run.last_validation() < 0.6 * OPTIMUM
