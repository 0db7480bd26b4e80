"""The scripts: what is in them, against numbers worked by hand; and they answer before anything heavy is loaded."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import DDQN
import DQN
from agents.backend import tf
from agents.interfaces import EpsilonGreedy
from agents.losses import huber
from agents.network import QNetwork
from agents.replay import Batch, PrioritisedReplay
from tests.support.command_line import ROOT
from tests.support.fake_experience import as_trajectory, play
from tests.support.networks import small_ddqn, small_dqn

TdError = Callable[[QNetwork, QNetwork, Batch], tf.Tensor]
SECONDS_TO_HELP = 1.0  # of CPU
# Observations are numbered 0 to 5 by their only pixel; a network is a table of values per number.
ONLINE = np.array(
    [[1, 2, 3], [4, 5, 6], [-1, 0, 1], [2, 8, 4], [9, 1, 0], [0.5, 0.25, 3]], np.float32
)
TARGET = np.array([[0, 0, 0], [0, 0, 0], [0, 0, 0], [10, 1, 20], [3, 7, 5], [6, 2, 4]], np.float32)


def network(table: NDArray[np.float32] | tf.Variable) -> QNetwork:
    return lambda images: tf.gather(table, tf.cast(images[:, 0, 0, 0], tf.int32))


def numbered(numbers: list[int]) -> NDArray[np.uint8]:
    return np.array(numbers, np.uint8).reshape(-1, 1, 1, 1)


BATCH = Batch(
    observation=numbered([0, 1, 2]),
    action=np.array([2, 0, 1], np.int32),
    n_step_return=np.array([1.0, -2.0, 0.5], np.float32),
    discount=np.array([0.5, 0.9, 0.0], np.float32),  # the third terminated
    next_observation=numbered([3, 4, 5]),
)
# Q-learning: the target network's highest value: 20, 7, 6.
#   1 + 0.5 * 20 - 3 = 8;  -2 + 0.9 * 7 - 4 = 0.3;  0.5 + 0 - 0 = 0.5
# Double Q-learning: the online network likes 1, 0, 2 best; the target rates these 1, 3, 4.
#   1 + 0.5 * 1 - 3 = -1.5;  -2 + 0.9 * 3 - 4 = -3.3;  0.5 + 0 - 0 = 0.5
BY_HAND = [(DQN.td_error, [8.0, 0.3, 0.5]), (DDQN.td_error, [-1.5, -3.3, 0.5])]


@pytest.mark.parametrize(("td_error", "expected"), BY_HAND, ids=["DQN", "DDQN"])
def test_td_error_by_hand(td_error: TdError, expected: list[float]) -> None:
    found = td_error(network(ONLINE), network(TARGET), BATCH).numpy()
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize(("td_error", "expected"), BY_HAND, ids=["DQN", "DDQN"])
def test_only_the_value_of_the_action_taken_gets_a_gradient(
    td_error: TdError, expected: list[float]
) -> None:
    """The target is a constant: nothing flows into the next value, online or not."""
    online, target = tf.Variable(ONLINE), tf.Variable(TARGET)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(huber(td_error(network(online), network(target), BATCH), 1.0))
    into_online, into_target = tape.gradient(loss, [online, target])
    by_hand = np.zeros_like(ONLINE)
    for row, action, error in zip([0, 1, 2], BATCH.action, expected, strict=True):
        by_hand[row, action] = -np.clip(error, -1, 1)  # d huber / d value
    assert into_target is None
    np.testing.assert_allclose(tf.convert_to_tensor(into_online), by_hand, rtol=1e-5)


choosers = pytest.mark.parametrize(
    "choose", [DQN.epsilon_greedy, DDQN.epsilon_greedy], ids=["DQN", "DDQN"]
)
Q = np.array([[0.0, 3.0, 1.0, 2.0], [5.0, -1.0, 4.0, 4.5]], np.float32)


def shares(choose: EpsilonGreedy, epsilon: list[float]) -> NDArray[np.float64]:
    """How often each of two cars takes each of four actions, [2, 4]."""
    rng = np.random.default_rng(0)
    drawn = np.array([choose(Q, np.array(epsilon), rng) for _ in range(8_000)])  # [8000, 2]
    return np.array([np.bincount(car, minlength=4) / len(drawn) for car in drawn.T])


@choosers
def test_without_exploration_the_highest_value_is_taken(choose: EpsilonGreedy) -> None:
    assert shares(choose, [0.0, 0.0]).tolist() == [[0, 1, 0, 0], [1, 0, 0, 0]]


@choosers
def test_exploration_takes_every_action_alike(choose: EpsilonGreedy) -> None:
    np.testing.assert_allclose(shares(choose, [1.0, 1.0]), 0.25, atol=0.02)


@choosers
def test_every_car_explores_at_its_own_rate(choose: EpsilonGreedy) -> None:
    """Half of the time anything, the best action among it: 1/2 + 1/8, and 1/8 for each of the others."""
    found = shares(choose, [0.5, 0.0])
    np.testing.assert_allclose(found[0], [0.125, 0.625, 0.125, 0.125], atol=0.02)
    assert found[1].tolist() == [1, 0, 0, 0]


class Watched(PrioritisedReplay):
    """Remembers what was drawn, and what came back."""

    def sample(self, *arguments: Any) -> Any:
        """Draw."""
        self.batch, self.index, self.probability = super().sample(*arguments)
        return self.batch, self.index, self.probability

    def set_priorities(self, index: NDArray[np.int64], priority: NDArray[np.float64]) -> None:
        """Take them."""
        super().set_priorities(index, priority)
        self.told = index, priority


class Learner(DDQN.DDQN):
    """Remembers the weights of its batch, and has TD errors of our own."""

    def repeat(self, batch: Batch, *more: NDArray[Any]) -> Any:
        """Learn nothing."""
        (self.weight,) = more
        self.delta = np.linspace(-9, 9, len(batch.action), dtype=np.float32)
        return self.delta, {"loss": 0.0}


def ready(agent: type[DDQN.DDQN], **settings: Any) -> tuple[Any, Watched]:
    """An agent whose replay holds 3 transitions of priorities 1, 2 and 5, one by one at indices 0, 1, 2."""
    model = small_ddqn(
        cars=1, cars_per_actor=1, n_step=1, batch_size=8, stack=1, learning_starts=8, **settings
    )
    made = agent(model.settings)
    spec, shape = made.settings.replay, (1, 1, 2)
    replay = Watched(spec, 1, shape)
    replay.extend(as_trajectory(play([[(10**6, False)]], 4), 4))
    replay.set_priorities(np.arange(3), np.array([1.0, 2.0, 5.0]))
    made.replay = replay
    return made, replay


@pytest.mark.parametrize(
    ("beta", "by_hand"), [(0.0, [1, 1, 1]), (0.5, [1, 0.5**0.5, 0.2**0.5]), (1.0, [1, 0.5, 0.2])]
)
def test_importance_weights_by_hand(beta: float, by_hand: list[float]) -> None:
    """P = 1/8, 2/8, 5/8 and n = 3: (n P)^-1 = 8/3, 4/3, 8/15, divided by the largest: 1, 1/2, 1/5."""
    agent, replay = ready(Learner, beta_start=beta, beta_updates=10**9, updates_per_tick=20)
    metrics = agent.learn()
    assert set(replay.index.tolist()) == {0, 1, 2}
    np.testing.assert_allclose(replay.probability, np.array([1, 2, 5])[replay.index] / 8)
    np.testing.assert_allclose(agent.weight, np.array(by_hand)[replay.index], rtol=1e-6)
    assert agent.weight.dtype == np.float32
    assert metrics == {"loss": 0.0, "beta": beta}


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_the_next_priorities_are_what_surprised(alpha: float) -> None:
    agent, replay = ready(Learner, alpha=alpha, updates_per_tick=2)
    agent.learn()
    index, priority = replay.told
    np.testing.assert_array_equal(index, replay.index)
    np.testing.assert_allclose(priority, (np.abs(agent.delta) + 0.001) ** alpha, rtol=1e-6)
    assert len(priority) == 16


def test_a_weight_of_nothing_teaches_nothing() -> None:
    """The weights reach the loss: the mean of weight times Huber's loss."""
    agent, _ = ready(DDQN.DDQN)
    shape = agent.settings.view.observation_shape
    rng = np.random.default_rng(0)
    images = rng.integers(256, size=(2, 8, *shape), dtype=np.uint8)
    batch = Batch(
        images[0],
        rng.integers(5, size=8).astype(np.int32),
        rng.normal(size=8).astype(np.float32),
        np.zeros(8, np.float32),
        images[1],
    )
    before = [v.numpy() for v in agent.online.trainable_variables]
    _, metrics = agent.repeat(batch, np.zeros(8, np.float32))
    assert (metrics["loss"], metrics["gradient_norm"]) == (0, 0)
    for a, b in zip(before, agent.online.trainable_variables, strict=True):
        np.testing.assert_array_equal(a, b)
    weight = np.arange(8, dtype=np.float32)
    delta, metrics = agent.repeat(batch, weight)
    loss = np.where(np.abs(delta) <= 1, 0.5 * delta**2, np.abs(delta) - 0.5)
    assert metrics["loss"] == pytest.approx((weight * loss).mean(), rel=1e-4)


def test_beta_grows_with_the_updates() -> None:
    agent = small_ddqn(beta_start=0.5, beta_updates=100)
    assert [agent.settings.priorities.at(n)[1] for n in (0, 50, 100, 999)] == [0.5, 0.75, 1, 1]
    assert not hasattr(small_dqn().settings, "priorities")


@pytest.mark.parametrize("script", ["DQN", "DDQN", "runs"])
def test_importing_a_script_loads_nothing_heavy(script: str) -> None:
    code = f"import sys, {script}; print(*sorted({{'tensorflow', 'keras', 'gymnasium', 'pygame', "
    code += "'tensorboard', 'matplotlib'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("\n", "")


@pytest.mark.parametrize("script", ["DQN", "DDQN", "runs"])
def test_help_comes_at_once(script: str) -> None:
    """In titled groups; the least of three tries, for a busy machine's caches are cold."""
    used = []
    for _ in range(3):
        process = subprocess.Popen(
            [sys.executable, f"{script}.py", "--help"], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout
        with process.stdout:
            said = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        used.append(usage.ru_utime + usage.ru_stime)
        if used[-1] < SECONDS_TO_HELP:
            break
    assert min(used) < SECONDS_TO_HELP
    if script != "runs":
        for title in ("view", "replay", "learning", "exploration"):
            assert title in said
        assert ("alpha" in said) == (script == "DDQN")
