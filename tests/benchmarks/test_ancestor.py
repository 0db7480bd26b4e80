"""The ancestor's recipes: every figure that they list, and what their loop does."""

from __future__ import annotations

import csv
import itertools
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.ancestor.recipes import (
    ACTIONS,
    RECIPES,
    Batch,
    Learner,
    Patience,
    Replay,
    Transition,
    build_network,
    road_in_sight,
)
from benchmarks.ancestor.train import Options, Training, main
from evaluation.scores import read_episodes
from racing.simulator import Simulator
from tests.support import networks  # noqa: F401  (sets TensorFlow up)
from tests.support.driving import leave

NAMES = list(RECIPES)
ROAD = np.full((96, 96, 3), 102, np.uint8)
GRASS = np.tile(np.array([102, 204, 102], np.uint8), (96, 96, 1))


@pytest.mark.parametrize(
    ("name", "first", "head"),
    [
        ("DQN", 7 * 7 * 3 * 6 + 6, 216 * 12 + 12),
        ("DDQN1", 7 * 7 * 6 + 6, 216 * 12 + 12),
        ("DDQN2", 7 * 7 * 6 + 6, 216 * 64 + 64 + 64 * 12 + 12),
    ],
)
def test_networks_by_hand(name: str, first: int, head: int) -> None:
    """Convolved to 30x30, pooled to 15, convolved to 12, pooled to 6."""
    second, dense = 4 * 4 * 6 * 12 + 12, 6 * 6 * 12 * 216 + 216
    assert build_network(RECIPES[name]).count_params() == first + second + dense + head


def test_actions() -> None:
    expected = {(s, g, b) for s in (-1, 0, 1) for g in (0, 1) for b in (0, 0.2)}
    assert {tuple(row) for row in ACTIONS.tolist()} == expected
    assert len(ACTIONS) == 12


def decisions_until_over(name: str, reward: float, on_grass: bool, rgb: NDArray[np.uint8]) -> int:
    patience = Patience(RECIPES[name])
    return next(
        n for n in itertools.count(1) if patience.is_over(reward, n * reward, on_grass, rgb)
    )


@pytest.mark.parametrize(
    ("name", "losing", "negative", "grass", "off_the_road"),
    [("DQN", 5, 30, None, 1), ("DDQN1", 5, 20, 5, None), ("DDQN2", 30, 25, None, None)],
)
def test_when_an_episode_is_given_up(
    name: str, losing: int, negative: int, grass: int | None, off_the_road: int | None
) -> None:
    if losing <= negative:
        assert decisions_until_over(name, -1.0, False, ROAD) == losing
    assert decisions_until_over(name, -2.0, False, ROAD) == -(-losing // 2)
    assert decisions_until_over(name, -0.01, False, ROAD) == negative
    if grass:
        assert decisions_until_over(name, 0.1, True, ROAD) == grass
    if off_the_road:
        assert decisions_until_over(name, 0.1, False, GRASS) == off_the_road
    patience = Patience(RECIPES[name])
    for n in range(100):  # one decision that gains, or on the road, restarts the count
        on_grass, rgb = n % 5 > 0 and not off_the_road, ROAD
        assert not patience.is_over(-0.01 if n % 19 else 0.01, 1.0, on_grass and grass == 5, rgb)


def test_the_road_is_seen_where_it_is() -> None:
    simulator = Simulator()
    simulator.start(8)
    for _ in range(50):  # the camera zooms in
        simulator.drive((0.0, 0.0, 0.0))
    assert road_in_sight(simulator.draw())
    for _ in range(400):
        _, out = simulator.drive(leave(simulator))
        if out:
            break
    assert out
    assert not road_in_sight(simulator.draw())


@pytest.mark.parametrize(
    ("name", "shares"), [("DQN", [0.25] * 4), ("DDQN1", [1 / 16, 3 / 16, 5 / 16, 7 / 16])]
)
def test_how_often_a_transition_is_drawn(name: str, shares: list[float]) -> None:
    """The chance of rank r of n grows in a line: (2 r + 1) / n^2."""
    replay = Replay(RECIPES[name])
    for action in range(4):
        replay.transitions.append(Transition(GRASS, action, 0.0, GRASS, False))
    ranks = replay.ranks(40_000, np.random.default_rng(1))
    np.testing.assert_allclose(np.bincount(ranks) / 40_000, shares, atol=0.01)
    for action in range(10_003):
        replay.transitions.append(Transition(GRASS, action, 0.0, GRASS, False))
    assert [replay.transitions[0].action, len(replay.transitions)] == [3, 10_000]


@pytest.mark.parametrize("name", ["DQN", "DDQN1"])
def test_an_update_by_hand(name: str) -> None:
    recipe, rng = RECIPES[name], np.random.default_rng(3)
    learner, size = Learner(recipe), recipe.batch_size
    shape = (size, 96, 96, 1 if recipe.grey else 3)
    seen, next_seen = (rng.integers(256, size=shape, dtype=np.uint8) for _ in range(2))
    action = rng.integers(12, size=size).astype(np.int32)
    reward = rng.normal(size=size).astype(np.float32)
    terminal = (np.arange(size) % 2).astype(np.float32)
    online, next_online = learner.online(seen).numpy(), learner.online(next_seen).numpy()
    rated = learner.target(next_seen).numpy()
    best = (next_online if name == "DDQN1" else rated).argmax(axis=1)
    at = np.arange(size)
    goal = reward + 0.95 * (1 - terminal) * rated[at, best]
    loss = ((goal - online[at, action]) ** 2).sum() / size / 12
    batch = Batch(seen, action, reward, next_seen, terminal)
    assert float(learner.learn(batch)) == pytest.approx(loss, rel=1e-4)
    after = [float(learner.learn(batch)) for _ in range(60)][-1]
    assert after < 0.1 * loss


@pytest.mark.slow
@pytest.mark.parametrize("name", ["DQN", "DDQN1"])
def test_what_an_episode_leaves_behind(name: str) -> None:
    training = Training(RECIPES[name], seed=1)
    ends = []
    for _ in range(2):
        training.drive_episode()
        ends.append(training.decisions)
    kept = list(training.replay.transitions)
    assert len(kept) == training.decisions
    assert training.updates == training.decisions - RECIPES[name].batch_size + 1
    assert training.epsilon == pytest.approx(0.9999**training.updates)
    assert not any(t.terminal for t in kept)  # both were given up
    for n, (one, following) in enumerate(itertools.pairwise(kept), start=1):
        assert (one.next_observation is following.observation) == (n not in ends)
    rewards = np.array([t.reward for t in kept])
    assert rewards.min() < -0.25  # three frames
    assert (rewards.max() > 1) == (name == "DQN")  # touching tiles; DDQN1's pay is clipped


@pytest.mark.slow
@pytest.mark.timeout(600)  # two thousand official images
def test_from_training_to_test(tmp_path: Path) -> None:
    scores, curve = tmp_path / "scores.csv", tmp_path / "curve.csv"
    main(Options("DDQN2", 1, 0.02, 1.0, 1, 1, scores, curve))
    [episode] = read_episodes(scores)
    assert (episode.track, episode.end_reason) in [(0, "time"), (0, "out")]
    with curve.open() as file:
        [row] = csv.DictReader(file)
    assert float(row["seconds"]) >= 1.2
    assert int(row["updates"]) == int(row["decisions"]) - 19
    assert row["episodes"] == "1"


@pytest.mark.parametrize("change", [{"minutes": 0}, {"validation_tracks": 0}, {"seed": -1}])
def test_bad_options_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, float]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(Options(csv=tmp_path / "a.csv", curve=tmp_path / "b.csv", **change))  # type: ignore[arg-type]
    assert end.value.code == 2
    assert next(iter(change)) in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
