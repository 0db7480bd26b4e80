"""Films of whole episodes, with the driver's controls and action values drawn onto the images."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from evaluation.drivers import Driver, acting
from racing.actions import action_set
from racing.driving import drive
from racing.episode import Episode, finished
from racing.simulator import TIME_LIMIT_FRAMES
from racing.spec import CameraName
from racing.world import World
from reports.video import video
from system.files import written_aside
from system.progress import OnProgress, no_progress

GIF_EVERY = 6  # simulator frames per image
GIF_SIZE = (450, 300)
WIDTH, HEIGHT = 600, 400  # of the images that Gymnasium draws for films
LINE_HEIGHT, COLUMN_WIDTH = 22, 150  # of the text, pixels
Frame = NDArray[np.uint8]  # RGB, [HEIGHT, WIDTH, 3]


def best_median_worst(episodes: list[Episode]) -> dict[str, int]:
    """Return the tracks of the best, the median and the worst episode, by these names."""
    ranked = sorted(episodes, key=lambda e: e.score)
    picks = {"best": ranked[-1], "median": ranked[len(ranked) // 2], "worst": ranked[0]}
    return {name: episode.track for name, episode in picks.items()}


def frames(
    driver: Driver,
    world: World,
    track: int,
    overlay: bool,
    on_progress: OnProgress,
) -> Iterator[Frame]:
    """Drive a track as in an evaluation, and yield an image after every decision.

    Args:
        driver: The driver.
        world: The world, with the camera that the driver sees; the film itself always shows Gymnasium's rendering.
        track: Reset seed.
        overlay: Whether to write the score and the controls onto the images.
        on_progress: Called after every decision with the number of simulator frames so far, and its maximum.

    Yields:
        RGB images, uint8 [HEIGHT, WIDTH, 3].
    """
    policy = driver.policy(track)
    for moment in drive(world, track, acting(policy)):
        table = [
            [f"track {track}", f"score {world.score:.1f}", f"speed {moment.step.speed:.0f}"],
            _controls(driver, moment.action),
        ]
        if hasattr(policy, "values"):
            table[0].append(f"value {policy.values(moment.observation[None]).max():.1f}")
        on_progress(world.simulator.frames, TIME_LIMIT_FRAMES)
        frame = world.simulator.draw_large()
        yield _with_text(frame, table) if overlay else frame


def _controls(driver: Driver, action: NDArray[np.float64] | np.int64) -> list[str]:
    controls = action_set(driver.world.actions).table[action] if driver.world.actions else action
    steer, gas, brake = np.asarray(controls)
    return [f"steer {steer:+.2f}", f"gas {gas:.2f}", f"brake {brake:.2f}"]


def _with_text(frame: Frame, table: list[list[str]]) -> Frame:
    """Write text onto a frame in fixed columns, so that only the numbers change from frame to frame."""
    drawn = np.ascontiguousarray(frame)
    drawn[: len(table) * LINE_HEIGHT + 6] //= 3  # darken the background of the white text
    for row, cells in enumerate(table, start=1):
        for column, cell in enumerate(cells):
            at = (10 + column * COLUMN_WIDTH, row * LINE_HEIGHT - 2)
            cv2.putText(drawn, cell, at, cv2.FONT_HERSHEY_SIMPLEX, 0.55, (255,) * 3, 1, cv2.LINE_AA)
    return drawn


def write_mp4(
    driver: Driver,
    track: int,
    path: Path,
    camera: CameraName = "official",
    on_progress: OnProgress = no_progress,
) -> Episode:
    """Film a whole episode as MP4.

    Args:
        driver: The driver.
        track: Reset seed.
        path: File to write.
        camera: The camera that the driver sees.
        on_progress: Called after every decision with the number of simulator frames so far, and its maximum.

    Returns:
        The record of the filmed episode.

    Raises:
        OSError: If the file cannot be written.
    """
    world = World(driver.world, camera)
    with video(path, (WIDTH, HEIGHT), 50 / driver.world.frame_skip) as show:
        for frame in frames(driver, world, track, overlay=True, on_progress=on_progress):
            show(frame)
    return finished(world, track)


def write_gif(
    driver: Driver,
    track: int,
    path: Path,
    camera: CameraName = "official",
    on_progress: OnProgress = no_progress,
) -> None:
    """Film a whole episode as a small GIF; the arguments are those of `write_mp4`.

    Raises:
        OSError: If the file cannot be written.
    """
    skip = driver.world.frame_skip
    every = max(GIF_EVERY // skip, 1)
    driven = frames(
        driver, World(driver.world, camera), track, overlay=False, on_progress=on_progress
    )
    palette = [
        Image.fromarray(cv2.resize(frame, GIF_SIZE, interpolation=cv2.INTER_AREA)).quantize(
            32, dither=Image.Dither.NONE
        )
        for frame in islice(driven, 0, None, every)
    ]
    duration = round(1000 * skip * every / 50)
    with written_aside(path) as aside:
        palette[0].save(aside, save_all=True, append_images=palette[1:], duration=duration, loop=0)
