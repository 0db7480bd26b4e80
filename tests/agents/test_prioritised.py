"""Prioritised replay: what is drawn how often, importance weights, and who may be drawn at all."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from agents.replay import FrameStore, PrioritisedReplay
from agents.replay.prioritised import PRIORITY_FLOOR
from tests.support.lives import as_trajectory, live, part

CHI_SQUARE_19 = 43.82  # critical value of 19 degrees of freedom, p = 0.001


def filled(transitions: int, alpha: float, ring: int = 64) -> PrioritisedReplay:
    """One endless episode, one-step returns: index i is transition i."""
    store = FrameStore(ring, 1, (1, 1, 2), 1, 0.9)
    replay = PrioritisedReplay(store, alpha)
    replay.extend(as_trajectory(live([[(10**6, False)]], transitions + 1), transitions + 1))
    return replay


def set_priorities(replay: PrioritisedReplay, priorities: NDArray[np.float64]) -> None:
    """Through TD errors, which may have either sign."""
    sign = np.where(np.arange(len(priorities)) % 2, 1, -1)
    td_error = sign * (priorities - PRIORITY_FLOOR)
    replay.update_priorities(np.arange(len(priorities)), td_error.astype(np.float32))


def chi_square(index: NDArray[np.int64], shares: NDArray[np.float64]) -> float:
    found = np.bincount(index, minlength=len(shares))
    expected = len(index) * shares
    return float(((found - expected) ** 2 / expected).sum())


@pytest.mark.parametrize("alpha", [0.5, 1.0])
def test_frequencies_match_priorities(alpha: float) -> None:
    """Chi-square over 20 transitions, each draw on its own, on a fixed seed."""
    replay = filled(20, alpha)
    priorities = np.random.default_rng(3).uniform(0.2, 5, size=20)
    set_priorities(replay, priorities)
    drawn = replay.sample(40_000, 1, 0.5, np.random.default_rng(4)).index
    assert drawn.max() < 20
    shares = priorities**alpha / (priorities**alpha).sum()
    assert chi_square(drawn, shares) < CHI_SQUARE_19
    other = priorities ** (alpha / 2) / (priorities ** (alpha / 2)).sum()
    assert chi_square(drawn, other) > 10 * CHI_SQUARE_19  # the measure tells a wrong alpha apart
    assert chi_square(drawn, np.full(20, 1 / 20)) > 10 * CHI_SQUARE_19


def test_a_batch_takes_one_from_each_equal_share() -> None:
    """Stratified: frequencies match, and with four equal priorities each batch of four has all four."""
    replay = filled(20, 1.0)
    priorities = np.arange(1.0, 21.0)
    set_priorities(replay, priorities)
    drawn = replay.sample(1000, 32, 0.5, np.random.default_rng(5)).index
    assert chi_square(drawn, priorities / priorities.sum()) < CHI_SQUARE_19
    even = filled(4, 1.0)
    batches = even.sample(50, 4, 0.5, np.random.default_rng(6)).index.reshape(50, 4)
    np.testing.assert_array_equal(batches, np.tile(np.arange(4), (50, 1)))


def test_alpha_zero_is_uniform() -> None:
    replay = filled(20, 0.0)
    set_priorities(replay, np.arange(1.0, 21.0))
    drawn = replay.sample(20_000, 1, 1.0, np.random.default_rng(7))
    assert chi_square(drawn.index, np.full(20, 1 / 20)) < CHI_SQUARE_19
    assert set(drawn.weight.tolist()) == {1.0}


@pytest.mark.parametrize(("beta", "weights"), [(0.0, [1, 1, 1]), (0.5, None), (1.0, [1, 0.5, 0.2])])
def test_importance_weights_by_hand(beta: float, weights: list[float] | None) -> None:
    """P = 1/8, 2/8, 5/8 and n = 3: (n P)^-1 = 8/3, 4/3, 8/15, divided by the largest: 1, 1/2, 1/5."""
    replay = filled(3, 1.0)
    set_priorities(replay, np.array([1.0, 2.0, 5.0]))
    batch = replay.sample(200, 8, beta, np.random.default_rng(8))
    by_hand = np.array(weights or [1, 0.5**0.5, 0.2**0.5])
    assert set(batch.index.tolist()) == {0, 1, 2}
    np.testing.assert_allclose(batch.weight, by_hand[batch.index], rtol=1e-5)
    assert batch.weight.dtype == np.float32


def priorities_of(replay: PrioritisedReplay) -> NDArray[np.float64]:
    return replay.get_state()["priority"]


def test_new_transitions_get_the_highest_priority_so_far() -> None:
    store = FrameStore(64, 1, (1, 1, 2), 1, 0.9)
    replay = PrioritisedReplay(store, 0.5)
    trajectory = as_trajectory(live([[(10**6, False)]], 12), 12)
    replay.extend(part(trajectory, 0, 5))
    assert priorities_of(replay)[:5].tolist() == [1, 1, 1, 1, 0]  # the last has no next frame yet
    replay.update_priorities(np.array([0, 1]), np.array([-9.0, 0.5], np.float32))
    np.testing.assert_allclose(
        priorities_of(replay)[:2], [(9 + PRIORITY_FLOOR) ** 0.5, (0.5 + PRIORITY_FLOOR) ** 0.5]
    )
    replay.extend(part(trajectory, 5, 8))
    replay.update_priorities(
        np.array([0]), np.array([0.0], np.float32)
    )  # the highest is remembered
    replay.extend(part(trajectory, 8, 12))
    found = priorities_of(replay)
    np.testing.assert_allclose(found[4:11], (9 + PRIORITY_FLOOR) ** 0.5)
    np.testing.assert_allclose(found[0], PRIORITY_FLOOR**0.5)
    assert found[11] == 0


def test_no_error_is_still_drawn_now_and_then() -> None:
    replay = filled(2, 1.0)
    replay.update_priorities(np.arange(2), np.array([0.0, 1.0], np.float32))
    assert (replay.sample(20_000, 1, 1.0, np.random.default_rng(9)).index == 0).any()


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
    """A dictionary from (slot, environment) to p^alpha, through extensions, updates and the ring."""
    ring, stack, n_step, alpha = 16, 3, 2, 0.7
    environments = len(plans)
    trajectory = as_trajectory(live(plans, sum(lengths)), sum(lengths))
    store = FrameStore(ring, environments, (stack, 1, 2), n_step, 0.9)
    replay = PrioritisedReplay(store, alpha)
    twin: dict[tuple[int, int], float] = {}
    highest, written = 1.0, 0
    for length in lengths:
        replay.extend(part(trajectory, written, written + length))
        written += length
        for slot in range(max(written - ring + stack - 1, 0), max(written - n_step, 0)):
            for environment in range(environments):
                if not trajectory.final[slot, environment]:
                    twin.setdefault((slot, environment), highest)
        twin = {at: p for at, p in twin.items() if at[0] >= written - ring + stack - 1}
        expected = np.zeros(ring * environments)
        for (slot, environment), priority in twin.items():
            expected[slot % ring * environments + environment] = priority
        np.testing.assert_allclose(priorities_of(replay), expected, rtol=1e-12)
        if twin:
            chosen = data.draw(st.lists(st.sampled_from(sorted(twin)), min_size=1, unique=True))
            errors = np.array([data.draw(st.integers(-9, 9)) for _ in chosen], np.float32)
            index = np.array([slot % ring * environments + n for slot, n in chosen])
            replay.update_priorities(index, errors)
            values = (np.abs(errors.astype(np.float64)) + PRIORITY_FLOOR) ** alpha
            twin |= dict(zip(chosen, values.tolist(), strict=True))
            highest = max(highest, float(values.max()))


@pytest.mark.parametrize("slots", [11, 24, 40], ids=["part", "full", "wrapped"])
def test_state_goes_out_and_in(slots: int) -> None:
    """A replay built from the state draws the same, now and after more experience."""
    plans = [[(4, True), (7, False)], [(9, True)]]
    trajectory = as_trajectory(live(plans, slots + 6), slots + 6)
    rng = np.random.default_rng(10)

    def empty() -> PrioritisedReplay:
        return PrioritisedReplay(FrameStore(24, 2, (2, 1, 2), 2, 0.9), 0.6)

    one = empty()
    for first in range(0, slots, 5):
        one.extend(part(trajectory, first, min(first + 5, slots)))
        index = np.unique(one.sample(1, 8, 0.5, rng).index)
        one.update_priorities(index, rng.normal(size=len(index)).astype(np.float32) * 3)
    other = empty()
    other.store.written = max(slots - 24, 0)
    other.store.extend(one.store.items(max(slots - 24, 0), slots))
    other.set_state(one.get_state())
    for more in range(2):
        draws = [r.sample(20, 16, 0.4, np.random.default_rng(11)) for r in (one, other)]
        for a, b in zip(*draws, strict=True):
            np.testing.assert_array_equal(a, b)
        for replay in (one, other):
            first = slots + 3 * more
            replay.extend(part(trajectory, first, first + 3))
