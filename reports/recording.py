"""Recordings of episodes, frame by frame, in a few kilobytes.

A recording is JSON: the episode's record, the car's start, and the encoded bytes of `Samples` as a base64 string.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from racing.episode import Episode, possible
from racing.simulator import Simulator
from system.files import write_whole

FORMAT = 1
# Resolution of each channel. Differences of up to 127 counts per frame allow for 200 units/s and 25 rad/s.
UNITS_PER_COUNT, RADIANS_PER_COUNT = 1 / 32, 1 / 256
SPEED_PER_COUNT, DEGREES_PER_COUNT, PEDAL_PER_COUNT = 0.5, 0.25, 1 / 127
CHANNELS = ("x", "y", "angle", "tiles", "front", "speed", "steering", "pedal")
DELTAS = 5  # the first five channels are stored as differences between frames, the others as values
Samples = NDArray[np.float64]  # [frames + 1, len(CHANNELS)]


@dataclass(frozen=True)
class Recording:
    """A recorded episode.

    Attributes:
        camera: The camera that the driver saw; `person` for a human.
        episode: Its record, as in a CSV of scores.
        samples: The state at the start and after every frame, float64 [frames + 1, 8]: x and y of the car in world
            units, its angle in radians, tiles visited, tiles from the start to the farthest one in driving direction,
            speed in units/s, angle of the front wheels in degrees (right is positive), gas minus brake (-1 to 1).
    """

    camera: str
    episode: Episode
    samples: Samples


class Recorder:
    """Records an episode while it is driven: call `note` after every frame."""

    def __init__(self) -> None:
        self._rows: list[tuple[float, ...]] = []

    def note(self, simulator: Simulator) -> None:
        """Record the current state of the simulator."""
        car = simulator.car
        x, y = car.hull.position
        tiles, angle = simulator.tile_visited_count, car.hull.angle
        speed = car.hull.linearVelocity.length
        steering = -math.degrees(car.wheels[0].joint.angle)
        pedal = car.wheels[2].gas - car.wheels[2].brake
        if not self._rows:  # the start: one frame before, the car stood in the same place
            self._rows.append((x, y, angle, tiles, simulator.front, 0, 0, 0))
        self._rows.append((x, y, angle, tiles, simulator.front, speed, steering, pedal))

    def end(self, camera: str, episode: Episode) -> Recording:
        """Return the complete recording."""
        return Recording(camera, episode, np.array(self._rows, np.float64))


_SCALE = np.array(
    [
        *(UNITS_PER_COUNT, UNITS_PER_COUNT, RADIANS_PER_COUNT, 1, 1),
        *(SPEED_PER_COUNT, DEGREES_PER_COUNT, PEDAL_PER_COUNT),
    ]
)
_LOWEST = np.array([-128] * 3 + [0] * 3 + [-128] * 2)  # signed and unsigned bytes
_HIGHEST = np.array([127] * 3 + [255] * 3 + [127] * 2)


def encode(recording: Recording) -> dict[str, Any]:
    """Convert a recording to JSON data, which `decode` restores to within half a count.

    A difference that does not fit into a byte is continued in the next frames.
    """
    counts = np.round(recording.samples / _SCALE).astype(np.int64)  # [frames + 1, 8]
    moved = np.empty_like(counts)
    at = counts[0] * (np.arange(len(CHANNELS)) < DELTAS)
    start = at[:DELTAS].tolist()
    for row, wanted in zip(moved, counts, strict=True):
        row[:] = np.clip(wanted - at, _LOWEST, _HIGHEST)
        at[:DELTAS] += row[:DELTAS]
    return {
        "format": FORMAT,
        "camera": recording.camera,
        "episode": asdict(recording.episode),
        "start": start,
        "samples": base64.b64encode(moved.T.astype(np.uint8).tobytes()).decode(),
    }


def decode(data: Any) -> Recording:
    """Restore a recording from what `encode` returned.

    Raises:
        ValueError: If the data is damaged, or its episode is impossible.
    """
    try:
        if data["format"] != FORMAT:
            raise ValueError(f"its format is {data['format']!r}, not {FORMAT}")
        episode, start = Episode(**data["episode"]), np.array(data["start"], np.int64)
        raw = np.frombuffer(base64.b64decode(data["samples"], validate=True), np.uint8)
        moved = raw.reshape(len(CHANNELS), -1).T.astype(np.int64)  # [frames + 1, 8]
        moved -= 256 * (moved > _HIGHEST)
        moved[0, :DELTAS] += start
        moved[:, :DELTAS] = moved[:, :DELTAS].cumsum(axis=0)
        fits = len(moved) == episode.frames + 1 and moved[-1, 3] == episode.tiles
        if not possible(episode) or not fits:
            raise ValueError("its episode is impossible")
        return Recording(str(data["camera"]), episode, moved * _SCALE)
    except (KeyError, TypeError, AttributeError, binascii.Error, OverflowError) as e:
        raise ValueError(f"a field is missing ({e!r})") from None


def recording_path(folder: Path, track: int) -> Path:
    """Return the path of the recording of a track."""
    return folder / f"track-{track}.json"


def write_recording(folder: Path, recording: Recording) -> None:
    """Write a recording into a folder, replacing one of the same track.

    Raises:
        OSError: If it cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(encode(recording))
    write_whole(recording_path(folder, recording.episode.track), text.encode())


def read_recording(folder: Path, track: int) -> Recording:
    """Read the recording of a track.

    Raises:
        ValueError: If the file is damaged, or is the recording of another track.
        OSError: If the file cannot be read.
    """
    path = recording_path(folder, track)
    try:
        recording = decode(json.loads(path.read_text()))
    except ValueError as e:
        raise ValueError(f"{path}: not a recording: {e}") from None
    if recording.episode.track != track:
        raise ValueError(f"{path}: of track {recording.episode.track}")
    return recording
