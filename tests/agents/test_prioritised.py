"""Prioritised replay: what is drawn how often, with which probability, and who may be drawn at all."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from agents.replay import PrioritisedReplay
from tests.support.fake_experience import as_trajectory, part, play, spec

CHI_SQUARE_19 = 43.82  # critical value of 19 degrees of freedom, p = 0.001


def filled(transitions: int, ring: int = 64) -> PrioritisedReplay:
    """One endless episode, one-step returns: index i is transition i."""
    replay = PrioritisedReplay(spec(ring), 1, (1, 1, 2))
    replay.extend(as_trajectory(play([[(10**6, False)]], transitions + 1), transitions + 1))
    return replay


def drawn(replay: PrioritisedReplay, batches: int, size: int, seed: int) -> NDArray[np.int64]:
    return replay.sample(batches, size, np.random.default_rng(seed))[1]


def chi_square(index: NDArray[np.int64], shares: NDArray[np.float64]) -> float:
    found = np.bincount(index, minlength=len(shares))
    expected = len(index) * shares
    return float(((found - expected) ** 2 / expected).sum())


def test_frequencies_match_priorities() -> None:
    """Chi-square over 20 transitions, each draw on its own, on a fixed seed."""
    replay = filled(20)
    priorities = np.random.default_rng(3).uniform(0.2, 5, size=20)
    replay.set_priorities(np.arange(20), priorities)
    index = drawn(replay, 40_000, 1, 4)
    assert index.max() < 20
    assert chi_square(index, priorities / priorities.sum()) < CHI_SQUARE_19
    # The measure tells other priorities apart.
    assert chi_square(index, priorities**0.5 / (priorities**0.5).sum()) > 10 * CHI_SQUARE_19
    assert chi_square(index, np.full(20, 1 / 20)) > 10 * CHI_SQUARE_19


def test_a_batch_takes_one_from_each_equal_share() -> None:
    """Stratified: frequencies match, and with four equal priorities each batch of four has all four."""
    replay = filled(20)
    priorities = np.arange(1.0, 21.0)
    replay.set_priorities(np.arange(20), priorities)
    assert chi_square(drawn(replay, 1000, 32, 5), priorities / priorities.sum()) < CHI_SQUARE_19
    batches = drawn(filled(4), 50, 4, 6).reshape(50, 4)
    np.testing.assert_array_equal(batches, np.tile(np.arange(4), (50, 1)))


def test_probabilities_by_hand() -> None:
    """Priorities of 1, 2 and 5: P = 1/8, 2/8, 5/8."""
    replay = filled(3)
    replay.set_priorities(np.arange(3), np.array([1.0, 2.0, 5.0]))
    batch, index, probability = replay.sample(200, 8, np.random.default_rng(8))
    assert set(index.tolist()) == {0, 1, 2}
    np.testing.assert_allclose(probability, np.array([1, 2, 5])[index] / 8)
    np.testing.assert_array_equal(batch.observation, replay.store.batch(index).observation)


def priorities_of(replay: PrioritisedReplay) -> NDArray[np.float64]:
    return replay.get_state()["priority"]


def test_new_transitions_get_the_highest_priority_so_far() -> None:
    replay = PrioritisedReplay(spec(64), 1, (1, 1, 2))
    trajectory = as_trajectory(play([[(10**6, False)]], 12), 12)
    replay.extend(part(trajectory, 0, 5))
    assert priorities_of(replay)[:5].tolist() == [1, 1, 1, 1, 0]  # the last has no next frame yet
    replay.set_priorities(np.array([0, 1]), np.array([3.0, 0.5]))
    replay.extend(part(trajectory, 5, 8))
    replay.set_priorities(np.array([0]), np.array([0.25]))  # the highest is remembered
    replay.extend(part(trajectory, 8, 12))
    assert priorities_of(replay)[:12].tolist() == [0.25, 0.5, 1, 1, *[3.0] * 7, 0]


plans = st.lists(
    st.lists(st.tuples(st.integers(1, 6), st.booleans()), min_size=1, max_size=4),
    min_size=1,
    max_size=3,
)


@settings(max_examples=120)
@given(plans=plans, lengths=st.lists(st.integers(1, 9), min_size=1, max_size=8), data=st.data())
def test_priorities_equal_a_naive_twin(
    plans: list[list[tuple[int, bool]]], lengths: list[int], data: st.DataObject
) -> None:
    """A dictionary from (step, environment) to priority, through extensions, updates and the ring."""
    ring, stack, n_step = 16, 3, 2
    environments = len(plans)
    trajectory = as_trajectory(play(plans, sum(lengths)), sum(lengths))
    replay = PrioritisedReplay(spec(ring, environments, n_step), environments, (stack, 1, 2))
    twin: dict[tuple[int, int], float] = {}
    highest, written = 1.0, 0
    for length in lengths:
        replay.extend(part(trajectory, written, written + length))
        written += length
        there = range(written - ring, written)  # a transition needs 2 steps before it and 2 after
        for step in range(written):
            for environment in range(environments):
                whole = step - 2 in there and step + 2 in there
                if whole and not trajectory.final[step, environment]:
                    twin.setdefault((step, environment), highest)
        twin = {at: p for at, p in twin.items() if at[0] - 2 in there}
        expected = np.zeros(ring * environments)
        for (step, environment), priority in twin.items():
            expected[step % ring * environments + environment] = priority
        np.testing.assert_allclose(priorities_of(replay), expected, rtol=1e-12)
        if twin:
            chosen = data.draw(st.lists(st.sampled_from(sorted(twin)), min_size=1, unique=True))
            values = np.array([data.draw(st.integers(0, 9)) + 0.001 for _ in chosen])
            index = np.array([step % ring * environments + n for step, n in chosen])
            replay.set_priorities(index, values)
            twin |= dict(zip(chosen, values.tolist(), strict=True))
            highest = max(highest, float(values.max()))


@pytest.mark.parametrize("steps", [11, 24, 40], ids=["part", "full", "wrapped"])
def test_state_goes_out_and_in(steps: int) -> None:
    """A replay built from the state draws the same, now and after more experience."""
    plans = [[(4, True), (7, False)], [(9, True)]]
    trajectory = as_trajectory(play(plans, steps + 6), steps + 6)
    rng = np.random.default_rng(10)

    def empty() -> PrioritisedReplay:
        return PrioritisedReplay(spec(24, 2, n_step=2), 2, (2, 1, 2))

    one = empty()
    for first in range(0, steps, 5):
        one.extend(part(trajectory, first, min(first + 5, steps)))
        index = np.unique(one.sample(1, 8, rng)[1])
        one.set_priorities(index, rng.uniform(0.01, 3, size=len(index)))
    other = empty()
    other.store.written = max(steps - 24, 0)
    other.store.extend(one.store.trajectory(max(steps - 24, 0), steps))
    other.set_state(one.get_state())
    for more in range(2):
        draws = [r.sample(20, 16, np.random.default_rng(11)) for r in (one, other)]
        for a, b in zip(*([*d[0], *d[1:]] for d in draws), strict=True):
            np.testing.assert_array_equal(a, b)
        for replay in (one, other):
            first = steps + 3 * more
            replay.extend(part(trajectory, first, first + 3))
