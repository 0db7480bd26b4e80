"""The frame store against a naive twin (plain lists of episodes), and by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from agents.replay import Batch, FrameStore, PrioritisedReplay, Replay, Trajectory, UniformReplay
from tests.support.lives import Life, as_trajectory, histories, live, numbers, part, transition

GAMMA = 0.75


def known_indices(
    lives: list[list[Life]], written: int, slots: int, stack: int, n_step: int
) -> dict[int, tuple[int, int]]:
    """Where there must be a transition to learn from: index in the ring -> (slot, environment)."""
    known = {}
    for environment in range(len(lives)):
        for slot in range(max(written - slots + stack - 1, 0), written - n_step):
            if transition(lives, slot, environment, stack, n_step, GAMMA):
                known[slot % slots * len(lives) + environment] = (slot, environment)
    return known


def check_batch(
    batch: Batch,
    known: dict[int, tuple[int, int]],
    lives: list[list[Life]],
    store: FrameStore,
) -> None:
    for index, i in zip(*np.unique(batch.index, return_index=True), strict=True):
        slot, environment = known[int(index)]
        expected = transition(lives, slot, environment, store.stack, store.n_step, GAMMA)
        assert expected is not None
        assert expected.slots.start >= store.written - store.slots, "overwritten"
        assert expected.slots[-1] < store.written, "not yet there"
        assert numbers(batch.observation[i]).tolist() == expected.observation
        assert batch.action[i] == expected.action
        assert batch.n_step_return[i] == pytest.approx(expected.n_step_return, rel=1e-5, abs=1e-6)
        assert batch.discount[i] == pytest.approx(expected.discount, rel=1e-6, abs=0)
        assert numbers(batch.next_observation[i]).tolist() == expected.next_observation


@settings(max_examples=150)
@given(
    history=histories(),
    stack=st.integers(1, 4),
    n_step=st.integers(1, 4),
    spare=st.integers(1, 20),
    prioritised=st.booleans(),
)
def test_all_that_can_be_drawn_equals_the_twin(
    history: tuple[list[list[Life]], int, list[int]],
    stack: int,
    n_step: int,
    spare: int,
    prioritised: bool,
) -> None:
    """After every trajectory: exactly the whole transitions can be drawn, and each is the twin's."""
    lives, slots, cuts = history
    ring = stack + n_step + spare
    trajectory = as_trajectory(lives, slots)
    store = FrameStore(ring, len(lives), (stack, 1, 2), n_step, GAMMA)
    replay: Replay = PrioritisedReplay(store, 0.5) if prioritised else UniformReplay(store)
    rng = np.random.default_rng(0)
    for first, last in itertools.pairwise(cuts):
        assume(last - first <= ring)
        replay.extend(part(trajectory, first, last))
        known = known_indices(lives, last, ring, stack, n_step)
        if not known:
            continue
        batch = replay.sample(1, 16 * len(known), 0.5, rng)
        check_batch(batch, known, lives, store)
        if prioritised:  # equal shares: every one of equal priority is in the draw
            assert set(batch.index.tolist()) == set(known)
        every = np.array(sorted(known))
        check_batch(store.batch(every, np.ones(len(every), np.float32)), known, lives, store)


def test_uniform_draws_all_alike() -> None:
    """Chi-square over 40 transitions beside 10 last frames: 39 degrees of freedom, p = 0.001."""
    lives = live([[(4, True)]], 53)
    store = FrameStore(60, 1, (1, 1, 2), 3, GAMMA)
    replay = UniformReplay(store)
    replay.extend(as_trajectory(lives, 53))
    known = known_indices(lives, 53, 60, 1, 3)
    batch = replay.sample(5, 4000, 1.0, np.random.default_rng(1))
    found = np.array([(batch.index == i).sum() for i in known])
    assert len(known) == 40
    assert found.sum() == 20_000
    expected = 20_000 / len(known)
    assert ((found - expected) ** 2 / expected).sum() < 72.05
    assert set(batch.weight.tolist()) == {1.0}


def by_hand(terminated: bool) -> tuple[FrameStore, list[list[Life]]]:
    """Frames 10, 20, 30, 40 with rewards 1, 2, 4, an end, and a new episode from frame 50 on."""
    first = Life(0, [10, 20, 30, 40], [1, 2, 3], [1.0, 2.0, 4.0], terminated, over=True)
    second = Life(4, [50, 60, 70, 80], [4, 5, 6, 7], [8.0, 16.0, 32.0, 64.0])
    store = FrameStore(12, 1, (3, 1, 2), 2, 0.5)
    store.extend(as_trajectory([[first, second]], 8))
    return store, [[first, second]]


@pytest.mark.parametrize("terminated", [True, False], ids=["terminated", "truncated"])
def test_by_hand(terminated: bool) -> None:
    store, _ = by_hand(terminated)
    batch = store.batch(np.array([0, 1, 2, 4, 5]), np.ones(5, np.float32))
    assert numbers(batch.observation).tolist() == [
        [10, 10, 10],
        [10, 10, 20],
        [10, 20, 30],
        [50, 50, 50],
        [50, 50, 60],
    ]
    assert numbers(batch.next_observation).tolist() == [
        [10, 20, 30],
        [20, 30, 40],
        [20, 30, 40],
        [50, 60, 70],
        [60, 70, 80],
    ]
    assert batch.action.tolist() == [1, 2, 3, 4, 5]
    assert batch.n_step_return.tolist() == [1 + 1, 2 + 2, 4, 8 + 8, 16 + 16]
    at_the_end = [0.0, 0.0] if terminated else [0.25, 0.5]  # a time limit is bootstrapped from
    assert batch.discount.tolist() == [0.25, *at_the_end, 0.25, 0.25]
    assert batch.observation.dtype == np.uint8
    assert batch.n_step_return.dtype == batch.discount.dtype == np.float32


def test_an_open_end_is_not_drawn() -> None:
    """The last n slots have no next observation yet; the frame at slot 3 is an episode's last."""
    store, _ = by_hand(terminated=True)
    assert (store.oldest, store.newest) == (0, 6)
    for replay in (UniformReplay(store), PrioritisedReplay(store, 0.5)):
        replay.extend(empty_like(store))
        drawn = replay.sample(1, 500, 0.5, np.random.default_rng(0)).index
        assert set(drawn.tolist()) == {0, 1, 2, 4, 5}


def empty_like(store: FrameStore) -> Trajectory:
    """No slots."""
    return store.items(0, 0)


def test_items_are_given_back_as_they_came() -> None:
    lives = live([[(3, True), (5, False)], [(4, False)]], 40)
    trajectory = as_trajectory(lives, 40)
    store = FrameStore(16, 2, (2, 1, 2), 2, GAMMA)
    for first in range(0, 40, 8):
        store.extend(part(trajectory, first, first + 8))
    given_back, original = store.items(24, 40), part(trajectory, 24, 40)
    for name, array in vars(given_back).items():
        np.testing.assert_array_equal(array, getattr(original, name), err_msg=name)
        assert array.dtype == getattr(original, name).dtype


def test_a_ring_too_short_for_a_stack_and_a_return_is_refused() -> None:
    FrameStore(8, 4, (4, 1, 2), 3, GAMMA)
    with pytest.raises(ValueError, match=r"28 decisions is too small.*more than 28"):
        FrameStore(7, 4, (4, 1, 2), 3, GAMMA)


def test_a_trajectory_longer_than_the_ring_is_refused() -> None:
    store = FrameStore(9, 1, (2, 1, 2), 1, GAMMA)
    with pytest.raises(ValueError, match="10 slots does not fit into 9"):
        store.extend(as_trajectory(live([[(3, True)]], 10), 10))
