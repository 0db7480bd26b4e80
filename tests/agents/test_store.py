"""The frame store against a naive twin (plain lists of episodes), and by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from agents.replay import Batch, FrameStore, PrioritisedReplay, Replay, UniformReplay
from tests.support.fake_experience import (
    FakeEpisode,
    as_trajectory,
    frame_store,
    histories,
    numbers,
    part,
    play,
    spec,
    transition,
    where,
)

GAMMA = 0.75
Replays = type[UniformReplay] | type[PrioritisedReplay]
both = pytest.mark.parametrize("kind", [UniformReplay, PrioritisedReplay])


def draw(replay: Replay, count: int) -> Batch:
    rng = np.random.default_rng(0)
    if isinstance(replay, PrioritisedReplay):
        return replay.sample(1, count, rng)[0]
    assert isinstance(replay, UniformReplay)
    return replay.sample(1, count, rng)


@both
@settings(max_examples=75)
@given(
    history=histories(),
    stack=st.integers(1, 4),
    n_step=st.integers(1, 4),
    spare=st.integers(1, 20),
)
def test_all_that_can_be_drawn_equals_the_twin(
    kind: Replays,
    history: tuple[list[list[FakeEpisode]], int, list[int]],
    stack: int,
    n_step: int,
    spare: int,
) -> None:
    """After every trajectory: each transition is the twin's, made of what is still there, and none is left out.

    A transition needs K - 1 steps before its own and n after: who has them all in the ring is drawn.
    """
    episodes, steps, cuts = history
    ring = stack + n_step + spare
    trajectory = as_trajectory(episodes, steps)
    replay = kind(spec(ring, len(episodes), n_step, GAMMA), len(episodes), (stack, 1, 2))
    for first, last in itertools.pairwise(cuts):
        assume(last - first <= ring)
        replay.extend(part(trajectory, first, last))
        there = range(last - ring, last)
        expected = {
            (step, n): wanted
            for step in range(last)
            for n in range(len(episodes))
            if step - stack + 1 in there and step + n_step in there
            if (wanted := transition(episodes, step, n, stack, n_step, GAMMA))
        }
        assert len(replay) >= len(expected)  # it counts the last frames of episodes as well
        if not expected:
            continue
        batch = draw(replay, 24 * len(expected))
        found = where(batch.observation[:, -1])
        assert set(found) == set(expected)
        for i, place in enumerate(found):
            wanted = expected[place]
            assert wanted.steps.start in there and wanted.steps[-1] in there
            assert numbers(batch.observation[i]).tolist() == wanted.observation
            assert batch.action[i] == wanted.action
            assert batch.n_step_return[i] == pytest.approx(wanted.n_step_return, 1e-5, 1e-6)
            assert batch.discount[i] == pytest.approx(wanted.discount, rel=1e-6, abs=0)
            assert numbers(batch.next_observation[i]).tolist() == wanted.next_observation


def test_uniform_draws_all_alike() -> None:
    """Chi-square over 40 transitions beside 10 last frames: 39 degrees of freedom, p = 0.001."""
    replay = UniformReplay(spec(60, n_step=3), 1, (1, 1, 2))
    replay.extend(as_trajectory(play([[(4, True)]], 53), 53))
    batch = replay.sample(5, 4000, np.random.default_rng(1))
    steps = [step for step, _ in where(batch.observation[:, -1])]
    found = np.bincount(steps, minlength=50)
    assert found.sum() == 20_000
    assert not found[4::5].any()  # an episode's last frame
    found = np.delete(found, np.s_[4::5])
    assert len(found) == 40
    expected = 20_000 / 40
    assert ((found - expected) ** 2 / expected).sum() < 72.05


def by_hand(terminated: bool) -> tuple[FrameStore, list[list[FakeEpisode]]]:
    """Frames 10, 20, 30, 40 with rewards 1, 2, 4, an end, and a new episode from frame 50 on."""
    first = FakeEpisode(0, [10, 20, 30, 40], [1, 2, 3], [1.0, 2.0, 4.0], terminated, over=True)
    second = FakeEpisode(4, [50, 60, 70, 80], [4, 5, 6, 7], [8.0, 16.0, 32.0, 64.0])
    store = frame_store(12, stack=3, n_step=2, gamma=0.5)
    store.extend(as_trajectory([[first, second]], 8))
    return store, [[first, second]]


@pytest.mark.parametrize("terminated", [True, False], ids=["terminated", "truncated"])
def test_by_hand(terminated: bool) -> None:
    store, _ = by_hand(terminated)
    batch = store.batch(np.array([0, 1, 2, 4, 5]))
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


@both
def test_an_open_end_is_not_drawn(kind: Replays) -> None:
    """The last n steps have no next observation yet; the frame at step 3 is an episode's last."""
    store, episodes = by_hand(terminated=True)
    assert (store.oldest, store.newest) == (0, 6)
    replay = kind(spec(12, n_step=2, gamma=0.5), 1, (3, 1, 2))
    replay.extend(as_trajectory(episodes, 8))
    assert set(numbers(draw(replay, 500).observation[:, -1]).tolist()) == {10, 20, 30, 50, 60}


def test_items_are_given_back_as_they_came() -> None:
    episodes = play([[(3, True), (5, False)], [(4, False)]], 40)
    trajectory = as_trajectory(episodes, 40)
    store = frame_store(16, 2, stack=2, n_step=2)
    for first in range(0, 40, 8):
        store.extend(part(trajectory, first, first + 8))
    given_back, original = store.trajectory(24, 40), part(trajectory, 24, 40)
    for name, array in vars(given_back).items():
        np.testing.assert_array_equal(array, getattr(original, name), err_msg=name)
        assert array.dtype == getattr(original, name).dtype


def test_a_ring_too_short_for_a_stack_and_a_return_is_refused() -> None:
    frame_store(8, 4, stack=4, n_step=3)
    with pytest.raises(ValueError, match=r"28 decisions is too small.*more than 28"):
        frame_store(7, 4, stack=4, n_step=3)


def test_a_trajectory_longer_than_the_ring_is_refused() -> None:
    store = frame_store(9, stack=2)
    with pytest.raises(ValueError, match="10 steps does not fit into a ring of 9"):
        store.extend(as_trajectory(play([[(3, True)]], 10), 10))
