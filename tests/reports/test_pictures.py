"""What the pictures show, and that an episode which is watched is the same episode."""

from __future__ import annotations

import dataclasses
import io
import os
import subprocess
import sys
from pathlib import Path

import imageio_ffmpeg
import matplotlib.colors
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import evaluate
import reports.film
import reports.track_map
from evaluation.drivers import load_driver
from evaluation.evaluation import drive, frame_by_frame
from racing.episode import Episode, finished
from racing.simulator import Simulator
from racing.spec import CameraName, WorldSpec
from reports.film import write_mp4
from reports.plots import mean_speed, plot_scores, plot_speed_and_missed_tiles
from reports.track_map import AHEAD, MISSED, OFF_ROAD, ROAD, draw_map, write_map
from tests.support.command_line import ROOT
from tests.support.driving import LAP_TRACK, pursue

CAMERAS: tuple[CameraName, ...] = ("fast", "official")
EPISODE = Episode(3, 912.3, 877, 300, 300, 1, "lap")


def pixels(png: bytes, colour: str) -> int:
    """How many pixels have a colour."""
    rgb = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
    wanted = np.round(255 * np.array(matplotlib.colors.to_rgb(colour)))
    return int((rgb == wanted).all(axis=-1).sum())


def test_a_watched_episode_is_the_same_episode() -> None:
    few_decisions = WorldSpec(frame_skip=24)  # so few pictures
    driver = dataclasses.replace(load_driver("random"), world=few_decisions)
    frames, speeds = 0, set()
    for world in frame_by_frame(driver, 16):
        frames += 1
        speeds.add(world.simulator.car.hull.linearVelocity.length)
        assert world.simulator.frames == frames
    assert len(speeds) > 0.9 * frames, "every frame is shown"
    assert finished(world, 16) == drive(driver, 16)


def test_a_map_shows_what_was_missed_and_where_the_car_left_the_road() -> None:
    simulator, moments = Simulator(), []
    simulator.start(LAP_TRACK)
    for frame in range(280):
        astray = np.array([0.4, 0.1, 0.0])
        simulator.drive(pursue(simulator) if frame < 220 else astray)
        hull = simulator.car.hull
        moments.append((*hull.position, hull.linearVelocity.length, simulator.on_grass))

    def drawn() -> dict[str, int]:
        png = io.BytesIO()
        draw_map(simulator, np.array(moments, np.float64), "a title").savefig(png, format="png")
        return {c: pixels(png.getvalue(), c) for c in (ROAD, AHEAD, MISSED, OFF_ROAD)}

    assert any(on_grass for *_, on_grass in moments)
    before = drawn()
    assert before[MISSED] == 0
    assert min(before[ROAD], before[AHEAD], before[OFF_ROAD]) > 20
    simulator.visits.remove(10)  # as if the car had not touched it
    after = drawn()
    assert after[MISSED] > 20
    assert after[ROAD] < before[ROAD]


def test_a_map_shows_the_lap_once() -> None:
    """The second time round would hide the first."""
    simulator = Simulator()
    simulator.start(LAP_TRACK)
    road = np.array([(x, y, 50, 0) for _, _, x, y in simulator.track])
    once = np.concatenate([road, road[:1]])
    twice = np.concatenate([once, road[1:] + np.array([2, 2, 0, 0])])

    def drawn(moments: NDArray[np.float64]) -> tuple[bytes, set[str]]:
        png, figure = io.BytesIO(), draw_map(simulator, moments, "a title")
        figure.savefig(png, format="png")
        return png.getvalue(), {text.get_text() for text in figure.legends[0].texts}

    half, (lap, told), (more, told_more) = map(drawn, (once[: len(once) // 2], once, twice))
    assert half[0] != lap
    assert told >= {"start", "end"} and told_more - told == {"end of the first lap"}
    first, second = (np.asarray(Image.open(io.BytesIO(png)).convert("RGB")) for png in (lap, more))
    # Only the legend, below, is another.
    assert (first[:600] == second[:600]).all()


@pytest.mark.slow
def test_a_map_of_a_whole_episode(tmp_path: Path) -> None:
    path = tmp_path / "map.png"
    write_map(load_driver("random"), 16, path)
    assert pixels(path.read_bytes(), AHEAD) > 1000
    assert list(tmp_path.iterdir()) == [path]


def test_mean_speed_by_hand() -> None:
    assert mean_speed(EPISODE) == pytest.approx(300 * 3.5 / 17.54)


def test_every_episode_is_a_dot() -> None:
    """More episodes, more ink; a driver who does not get round is not in the second picture."""
    few = {"pid": [dataclasses.replace(EPISODE, track=t, score=850.0 + 20 * t) for t in range(3)]}
    more = {"pid": [dataclasses.replace(e, track=t) for t, e in enumerate(few["pid"] * 20)]}
    more["pid"] = [dataclasses.replace(e, score=e.score + e.track) for e in more["pid"]]
    lost = {"random": [dataclasses.replace(EPISODE, score=-50.0, laps=0)] * 3}
    white = [pixels(plot_scores(scores), "white") for scores in (few, more)]
    assert white[1] < white[0]
    pictures = [plot_speed_and_missed_tiles(s) for s in (few, few | lost, more)]
    assert pictures[0] == pictures[1] != pictures[2]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_film_and_a_map_show_the_episode_that_was_scored(tmp_path: Path) -> None:
    """A driver that sees drives otherwise with another camera; film and map are of the one it was scored with."""
    driver = load_driver(str(ROOT / "models" / "dqn.safetensors"))
    scored = {camera: drive(driver, 3, camera) for camera in CAMERAS}
    assert scored["fast"].score != scored["official"].score
    assert write_mp4(driver, 3, tmp_path / "film.mp4", "fast") == scored["fast"]
    assert write_map(driver, 3, tmp_path / "map.png", "fast") == scored["fast"]
    pictures, seconds = imageio_ffmpeg.count_frames_and_secs(str(tmp_path / "film.mp4"))
    decisions = -(-scored["fast"].frames // driver.world.frame_skip)
    assert pictures == decisions
    assert seconds == pytest.approx(scored["fast"].frames / 50, abs=0.1)


@pytest.mark.parametrize(
    ("scores", "filmed"), [((9,), {3}), ((9, 8), {3, 4}), ((9, 8, 7), {3, 4, 5})]
)
def test_filming_uses_the_camera_of_the_evaluation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scores: tuple[int, ...], filmed: set[int]
) -> None:
    """Through the script's own function; no episode is filmed twice."""
    made: list[tuple[object, object]] = []
    monkeypatch.setattr(reports.film, "write_mp4", lambda *a: made.append((a[1], a[3])))
    monkeypatch.setattr(reports.film, "write_gif", lambda *a: made.append((a[1], a[3])))
    monkeypatch.setattr(reports.track_map, "write_map", lambda *a: made.append((a[1], a[3])))
    options = evaluate.Options(("random",), film=tmp_path, gif=tmp_path / "x.gif", camera="fast")
    episodes = [dataclasses.replace(EPISODE, track=3 + i, score=s) for i, s in enumerate(scores)]
    evaluate._film("random", episodes, options)
    assert {track for track, _ in made} == filmed and len(made) == 1 + 2 * len(filmed)
    assert {camera for _, camera in made} == {"fast"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "encoder",
    [
        None,
        "exit 1",
        "echo what is this; exit 0",
        'head -c 9000000 | "$REAL" "$@"; kill -9 $$',
    ],
)
def test_a_film_whose_encoder_is_missing_or_dies(tmp_path: Path, encoder: str | None) -> None:
    """One line, and no film."""
    broken = tmp_path / "ffmpeg"
    if encoder:
        broken.write_text(f"#!/bin/sh\n{encoder}\n")
        broken.chmod(0o755)
    film = tmp_path / "pid.mp4"
    done = subprocess.run(
        [sys.executable, "pid_control.py", "--tracks", "3:4", "--video", str(film)],
        cwd=ROOT,
        env={
            **os.environ,
            "IMAGEIO_FFMPEG_EXE": str(broken),
            "REAL": imageio_ffmpeg.get_ffmpeg_exe(),
        },
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (1, ""), done
    assert done.stderr.count("\n") == 1 and f"error: {film}: the encoder failed" in done.stderr
    assert set(tmp_path.iterdir()) <= {broken}
