"""Races: several drivers on the same tracks, and a web page that replays them together."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.envs.box2d.car_dynamics import (
    HULL_POLY1,
    HULL_POLY2,
    HULL_POLY3,
    HULL_POLY4,
    SIZE,
    WHEEL_R,
    WHEEL_W,
    WHEELPOS,
)
from gymnasium.envs.box2d.car_racing import BORDER, FPS, PLAYFIELD, TRACK_DETAIL_STEP, TRACK_WIDTH

from evaluation.drivers import Driver, check_driver, load_driver
from evaluation.evaluation import frame_by_frame
from racing.episode import finished
from racing.simulator import TIME_LIMIT_FRAMES, Simulator
from racing.spec import CameraName
from reports.colours import colours_of
from reports.recording import Recorder, Recording, encode, read_recording, recording_path
from reports.report import ROWS
from system.files import check_file, write_whole
from system.progress import OnProgress, no_progress, notify, progress

MOST_DRIVERS, MOST_TRACKS = 8, 12
SCRIPTS = ("data.js", "scene.js", "telemetry.js", "page.js")
SHORT = {"pid": "PID", "ddqn": "DDQN", "random-continuous": "random, cont."}
ROAD_COUNT = 1 / 32  # resolution of the road's int16 coordinates, units


@dataclass(frozen=True)
class Entry:
    """A participant in a race.

    Attributes:
        name: The name as given: a driver of `evaluate.py`, or a folder of recordings.
        title: The full title.
        short: The short title next to the car.
    """

    name: str
    title: str
    short: str


def entries(names: Sequence[str]) -> list[Entry]:
    """Return the participants, titled by their file names; files with the same name are told apart by their folders."""
    titles = {row.stem: row.title for row in ROWS}
    paths = [Path(name).with_suffix("").parts for name in names]
    found = []
    for name, parts in zip(names, paths, strict=True):
        length = 1
        while sum(other[-length:] == parts[-length:] for other in paths) > 1:
            length += 1
            if length > len(parts):  # a file and a folder that differ only in the suffix
                break
        called = name if length > len(parts) > 1 else "/".join(parts[-length:])
        short = SHORT.get(called, called.upper() if called == "dqn" else called)
        found.append(Entry(name, titles.get(called, called), short))
    return found


def check_race(page: Path, names: Sequence[str], tracks: Sequence[int]) -> None:
    """Check the arguments of a race before anybody drives.

    Raises:
        ValueError: If the race is impossible; the message says why.
        OSError: If a recording cannot be read.
    """
    if page.suffix != ".html":
        raise ValueError(f"a race's page ends in .html, got {page}")
    if not names:
        raise ValueError("a race needs at least one driver")
    if len(names) > MOST_DRIVERS:
        raise ValueError(f"at most {MOST_DRIVERS} drivers race, got {len(names)}")
    if len(tracks) > MOST_TRACKS:
        raise ValueError(f"a race has at most {MOST_TRACKS} tracks, got {len(tracks)}")
    seen: set[Path] = set()
    for name in names:
        if Path(name).resolve() in seen:
            raise ValueError(f"{name} is given twice")
        seen.add(Path(name).resolve())
    for name in names:
        if not Path(name).is_dir():
            check_driver(name)
            continue
        for track in tracks:
            if not recording_path(Path(name), track).is_file():
                raise ValueError(f"{name} has no recording of track {track}")
            read_recording(Path(name), track)
    check_file(page)


def drive_race(
    names: Sequence[str], tracks: Sequence[int], camera: CameraName
) -> list[list[Recording]]:
    """Let every participant drive every track, one after the other.

    Args:
        names: Drivers, or folders of recordings.
        tracks: Reset seeds.
        camera: The camera that drivers see.

    Returns:
        A list per participant, with a recording per track.

    Raises:
        ValueError: If a weight file or recording is damaged.
    """
    notify("getting the drivers ready")
    ready = [None if Path(name).is_dir() else load_driver(name) for name in names]
    drives = []
    for entry, driver in zip(entries(names), ready, strict=True):
        if driver is None:
            drives.append([read_recording(Path(entry.name), track) for track in tracks])
        else:
            with progress(entry.title, "frames at most") as on_progress:
                drives.append(record(driver, tracks, camera, on_progress))
    return drives


def record(
    driver: Driver,
    tracks: Sequence[int],
    camera: CameraName,
    on_progress: OnProgress = no_progress,
) -> list[Recording]:
    """Drive tracks and record every frame; `on_progress` gets the number of frames driven, and its maximum."""
    recordings = []
    for at, track in enumerate(tracks):
        recorder = Recorder()
        for world in frame_by_frame(driver, track, camera):
            recorder.note(world.simulator)
            frames = at * TIME_LIMIT_FRAMES + world.simulator.frames
            on_progress(frames, len(tracks) * TIME_LIMIT_FRAMES)
        recordings.append(recorder.end(camera, finished(world, track)))
    return recordings


def write_page(
    page: Path, names: Sequence[str], drives: list[list[Recording]], camera: CameraName
) -> None:
    """Write a race as a single self-contained HTML file.

    Args:
        page: The file to write.
        names: The participants, as given to `drive_race`.
        drives: Their recordings, as returned by `drive_race`.
        camera: The camera that drivers saw.

    Raises:
        OSError: If the file cannot be written.
    """
    found = entries(names)
    colours = colours_of(Path(e.name).stem for e in found)
    data = {
        "camera": camera,
        "fps": FPS,
        "playfield": PLAYFIELD,
        "tileLength": TRACK_DETAIL_STEP,
        "roadWidth": 2 * TRACK_WIDTH,
        "kerb": BORDER,
        "car": _car(),
        "drivers": [
            {"title": e.title, "short": e.short, "colour": c}
            for e, c in zip(found, colours, strict=True)
        ],
        "tracks": [_track(list(recordings)) for recordings in zip(*drives, strict=True)],
    }
    folder = files("reports") / "race_page"
    read = {name: (folder / name).read_text(encoding="utf-8") for name in ("page.html", "page.css")}
    script = "\n".join((folder / name).read_text(encoding="utf-8") for name in SCRIPTS)
    text = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")  # no tag ends the script
    html = read["page.html"]
    for mark, content in (("css", read["page.css"]), ("data", text), ("script", script)):
        before, found_mark, after = html.partition(f"/*{mark}*/")
        assert found_mark, mark
        html = before + content + after
    write_whole(page, html.encode())


def _car() -> dict[str, Any]:
    """Return the shape of the car in world units, pointing along y: its hull, and wheels by centre and half size."""
    hulls = (HULL_POLY1, HULL_POLY2, HULL_POLY3, HULL_POLY4)
    return {
        "hull": [[[round(c * SIZE, 3) for c in corner] for corner in hull] for hull in hulls],
        "wheels": [[round(c * SIZE, 3) for c in place] for place in WHEELPOS],
        "wheel": [WHEEL_W * SIZE, WHEEL_R * SIZE],
    }


def _track(recordings: list[Recording]) -> dict[str, Any]:
    """Return the page's data of a track and of the drives on it."""
    simulator = Simulator()
    track = recordings[0].episode.track
    simulator.start(track)
    road = np.array([(x, y) for _, _, x, y in simulator.track])  # [tiles, 2]
    counts = np.round(road / ROAD_COUNT).astype("<i2")
    return {
        "track": track,
        "tiles": len(road),
        "road": base64.b64encode(counts.tobytes()).decode(),
        "kerbs": _kerbs(simulator),
        "drives": [encode(r) for r in recordings],
    }


def _kerbs(simulator: Simulator) -> list[list[float]]:
    """Return, for every kerb, whether it is red (the others are white), and the x and y of its corners."""
    return [
        [int(colour[1] == 0), *(round(float(c), 2) for corner in shape for c in corner)]
        for shape, colour in simulator.road_poly
        if isinstance(colour, tuple)
    ]
