"""A recording says what the car did, to half a count, and nothing else is taken for one."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.drivers import load_driver
from evaluation.evaluation import drive
from racing.episode import Episode
from reports.race import record
from reports.recording import (
    CHANNELS,
    DEGREES_PER_COUNT,
    PEDAL_PER_COUNT,
    RADIANS_PER_COUNT,
    SPEED_PER_COUNT,
    UNITS_PER_COUNT,
    Recording,
    decode,
    encode,
    read_recording,
    recording_path,
    write_recording,
)

COUNTS = np.array(
    [
        *(UNITS_PER_COUNT, UNITS_PER_COUNT, RADIANS_PER_COUNT, 1, 1),
        *(SPEED_PER_COUNT, DEGREES_PER_COUNT, PEDAL_PER_COUNT),
    ]
)


def made(frames: int, **channels: list[float]) -> Recording:
    """A car that touched 30 of 300 tiles, and stood still but for these channels."""
    episode = Episode(3, 100 - 0.1 * frames, frames, 30, 300, 0, "time")
    samples = np.zeros((frames + 1, len(CHANNELS)))
    samples[:, CHANNELS.index("tiles")] = 30
    for name, values in channels.items():
        samples[:, CHANNELS.index(name)] = values
    return Recording("fast", episode, samples)


@pytest.fixture(scope="module")
def driven() -> Recording:
    [recording] = record(load_driver("random"), [16], "fast")
    return recording


def test_a_recorded_episode_is_the_scored_one(driven: Recording) -> None:
    assert driven.episode == drive(load_driver("random"), 16, "fast")
    tiles, front = (driven.samples[:, CHANNELS.index(name)] for name in ("tiles", "front"))
    assert tiles[-1] == driven.episode.tiles
    assert (np.diff(tiles) >= 0).all() and (np.diff(front) >= 0).all()


def test_speed_is_how_far_the_car_comes(driven: Recording) -> None:
    xy, speed = driven.samples[:, :2], driven.samples[:, CHANNELS.index("speed")]
    assert speed.max() > 5
    moved = np.linalg.norm(np.diff(xy, axis=0), axis=1)[1:] * 50
    assert np.abs(moved - speed[2:]).max() < 2


def test_what_is_read_is_what_was_written(driven: Recording, tmp_path: Path) -> None:
    write_recording(tmp_path / "new" / "human", driven)
    again = read_recording(tmp_path / "new" / "human", 16)
    assert (again.camera, again.episode) == (driven.camera, driven.episode)
    assert (np.abs(again.samples - driven.samples) <= COUNTS / 2 + 1e-6).all()
    size = recording_path(tmp_path / "new" / "human", 16).stat().st_size
    assert size < 11 * driven.episode.frames + 500, "some ten bytes per frame"


@given(st.lists(st.floats(-330, 330), min_size=2, max_size=5))
def test_a_jump_is_made_up_for(places: list[float]) -> None:
    """A place that a byte cannot reach at once is reached later, when the car stays there."""
    stay = 2 * 330 * 32 // 127 + 1  # frames for the longest way
    x = np.repeat(places, stay)
    again = decode(json.loads(json.dumps(encode(made(len(x) - 1, x=list(x))))))
    reached = again.samples[stay - 1 :: stay, 0]
    assert np.abs(reached - places).max() <= UNITS_PER_COUNT / 2 + 1e-9


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"format": 2}, "format is 2"),
        ({"format": None}, "format is None"),
        ({"samples": "AAAA"}, "not a recording"),
        ({"samples": "not base64!"}, "not a recording"),
        ({"start": [0, 0]}, "not a recording"),
        ({"start": [0, 0, 0, 31, 0]}, "impossible"),
        ({"start": None}, "a field is missing"),
        ({"episode": {"track": 3}}, "a field is missing"),
        ({"episode": None}, "a field is missing"),
    ],
)
def test_what_is_no_recording_is_refused(
    tmp_path: Path, change: dict[str, Any], named: str
) -> None:
    path = recording_path(tmp_path, 3)
    path.write_text(json.dumps(encode(made(20)) | change))
    with pytest.raises(ValueError, match=f"{path.name}: .*{named}"):
        read_recording(tmp_path, 3)


def test_another_tracks_recording_and_impossible_ones_are_refused(tmp_path: Path) -> None:
    good = made(20)
    recording_path(tmp_path, 4).write_text(json.dumps(encode(good)))
    with pytest.raises(ValueError, match="of track 3"):
        read_recording(tmp_path, 4)
    better = dataclasses.replace(good, episode=dataclasses.replace(good.episode, score=999.0))
    longer = dataclasses.replace(good, episode=made(21).episode)
    for wrong in (better, longer):
        write_recording(tmp_path, wrong)
        with pytest.raises(ValueError, match="impossible"):
            read_recording(tmp_path, 3)
    for text in ("", "[]", "{}", "3", '"a"'):
        recording_path(tmp_path, 3).write_text(text)
        with pytest.raises(ValueError, match="not a recording"):
            read_recording(tmp_path, 3)
    with pytest.raises(OSError):
        read_recording(tmp_path, 5)
