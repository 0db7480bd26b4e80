"""Tracks that a car failed on come back, and only those."""

from __future__ import annotations

from collections import deque

import numpy as np
import pytest

from racing.tracks import TRAINING
from training.actors.actor import next_track


def test_failed_tracks_come_back_oldest_first_and_once() -> None:
    failed = deque([5, 6, 7])
    drawn = [next_track(failed, 1.0, np.random.default_rng(0)) for _ in range(4)]
    assert drawn[:3] == [5, 6, 7]
    assert drawn[3] in TRAINING
    assert not failed


@pytest.mark.parametrize("share", [0.0, 0.25])
def test_the_share_of_retries(share: float) -> None:
    rng = np.random.default_rng(1)
    failed = deque(range(10_000))  # never training tracks
    drawn = [next_track(failed, share, rng) for _ in range(4_000)]
    retried = [track for track in drawn if track not in TRAINING]
    assert len(retried) / len(drawn) == pytest.approx(share, abs=0.03)
    assert retried == list(range(len(retried)))


def test_a_new_track_costs_no_draw_while_nothing_has_failed() -> None:
    ours, plain = np.random.default_rng(2), np.random.default_rng(2)
    tracks = [next_track(deque(), 0.5, ours) for _ in range(3)]
    assert tracks == [next_track(deque(), 0.0, plain) for _ in range(3)]
