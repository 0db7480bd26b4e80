"""Track seeds: three sets that never meet."""

from __future__ import annotations

import numpy as np
import pytest

from racing.simulator import Simulator
from racing.tracks import TEST, TRAINING, VALIDATION, draw_training_track, parse_tracks


@pytest.mark.parametrize(
    ("one", "other"), [(TEST, VALIDATION), (TEST, TRAINING), (VALIDATION, TRAINING)]
)
def test_the_sets_are_disjoint(one: range, other: range) -> None:
    assert one.step == other.step == 1
    assert one.stop <= other.start or other.stop <= one.start


def test_training_tracks_are_drawn_from_the_training_set() -> None:
    rng = np.random.default_rng(0)
    drawn = [draw_training_track(rng) for _ in range(2000)]
    assert all(track in TRAINING for track in drawn)
    assert len(set(drawn)) > 1990
    assert min(drawn) < TRAINING.start + len(TRAINING) // 100
    assert max(drawn) > TRAINING.stop - len(TRAINING) // 100


def test_the_ends_of_the_sets_are_seeds_that_the_simulator_takes() -> None:
    simulator = Simulator()
    for track in (TEST[0], VALIDATION[-1], TRAINING[-1]):
        simulator.start(track)
        assert len(simulator.track) > 100


def test_a_track_is_its_seed() -> None:
    simulators = [Simulator() for _ in range(3)]
    for simulator, track in zip(simulators, (4, 4, 5), strict=True):
        simulator.start(track)
    assert simulators[0].track == simulators[1].track
    assert simulators[0].track != simulators[2].track


@pytest.mark.parametrize(
    ("text", "episodes", "tracks"),
    [
        ("test", 3, [0, 1, 2]),
        ("validation", 2, [10_000, 10_001]),
        ("5:8", 50, [5, 6, 7]),
        ("0:1", 1, [0]),
        (f"{2**31 - 1}:{2**31}", 1, [2**31 - 1]),
    ],
)
def test_names_and_ranges(text: str, episodes: int, tracks: list[int]) -> None:
    assert parse_tracks(text, episodes) == tracks


@pytest.mark.parametrize(
    "text",
    [
        "",
        "training",
        "5",
        "8:5",
        "5:5",
        ":",
        "5:",
        ":5",
        "-1:5",
        "1:2:3",
        "a:b",
        "1.0:2",
        f"0:{2**31 + 1}",
        "0:10001",  # too many at a time
    ],
)
def test_what_names_no_tracks_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="track"):
        parse_tracks(text, 50)


@pytest.mark.parametrize("episodes", [0, -1, 10_001])
def test_more_tracks_than_there_are_is_refused(episodes: int) -> None:
    with pytest.raises(ValueError, match=f"10000, got {episodes}"):
        parse_tracks("test", episodes)
