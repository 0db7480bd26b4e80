"""One protocol for every driver: whole episodes, raw reward, 1000 frames, nothing ended early."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from evaluation.drivers import Driver, check_driver, load_driver
from racing.episode import Episode, finished
from racing.spec import CameraName
from racing.tracks import TEST
from racing.world import World
from system.processes import children_deaf_to, end_with_parent

BOOTSTRAP_DRAWS = 10_000


def drive(driver: Driver, track: int, camera: CameraName = "official") -> Episode:
    """One whole episode."""
    world, policy = World(driver.world, camera), driver.policy(track)
    world.start(track)
    policy.reset()
    while not world.end_reason:
        world.decide(policy.act(world.observation[None])[0])
    return finished(world, track)


def frame_by_frame(driver: Driver, track: int, camera: CameraName = "official") -> Iterator[World]:
    """The same episode, watched: its world after every frame (1/50 s)."""
    frames = driver.world.frame_skip
    world, policy = World(replace(driver.world, frame_skip=1), camera), driver.policy(track)
    world.start(track)
    policy.reset()
    while not world.end_reason:
        action = policy.act(world.observation[None])[0]
        for frame in range(frames):
            if not world.end_reason:
                world.decide(action, look=frame == frames - 1)
                yield world


def evaluate(
    name: str,
    tracks: list[int] | None = None,
    camera: CameraName = "official",
    processes: int | None = None,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> list[Episode]:
    """Drive a list of tracks, in parallel. An episode depends on the driver and the track alone.

    Args:
        name: Of the driver.
        tracks: Reset seeds; the first 50 test tracks if None.
        camera: Which camera the driver sees with.
        processes: How many tracks at once; one per core if None.
        tell: Called with episodes done and in all.

    Returns:
        One record per track, in order.

    Raises:
        ValueError: If there is no such driver.
        ChildProcessError: If a process was killed.
    """
    tracks = list(TEST[:50]) if tracks is None else tracks
    check_driver(name)
    count = min(processes or os.cpu_count() or 1, len(tracks))
    context = multiprocessing.get_context("spawn")
    others = set(multiprocessing.active_children())
    executor = ProcessPoolExecutor(count, context, _begin, (name, camera))
    episodes = []
    try:
        with children_deaf_to(signal.SIGINT):
            driven = [executor.submit(_drive, track) for track in tracks]
        for future in driven:
            episodes.append(future.result())
            tell(len(episodes), len(tracks))
    except BrokenExecutor:
        raise ChildProcessError("a process died while it drove; drive again") from None
    finally:  # do not wait for what nobody wants any more
        for process in set(multiprocessing.active_children()) - others:
            process.kill()
        executor.shutdown(wait=False)  # finds its processes dead and gives the other tracks up
    return episodes


def _begin(name: str, camera: CameraName) -> None:
    """In each process: make the driver ready once."""
    end_with_parent()
    global _driver, _camera
    _camera = camera
    try:
        _driver = load_driver(name)
    except ValueError as e:  # for who asks to say why
        _driver = e


def _drive(track: int) -> Episode:
    if isinstance(_driver, ValueError):
        raise _driver
    return drive(_driver, track, _camera)


_driver: Driver | ValueError
_camera: CameraName


@dataclass(frozen=True)
class Summary:
    """Statistics of a driver's scores.

    Attributes:
        episodes: How many.
        mean: Of the scores.
        low: Lower end of the 95 % bootstrap interval of the mean.
        high: Upper end.
        std: Sample standard deviation (n - 1).
        min: Lowest.
        median: Middle.
        max: Highest.
        laps: Laps completed.
        frames: Mean length.
    """

    episodes: int
    mean: float
    low: float
    high: float
    std: float
    min: float
    median: float
    max: float
    laps: int
    frames: float


def summarise(episodes: list[Episode]) -> Summary:
    """Statistics over at least one episode; the interval is a percentile bootstrap with a fixed seed."""
    scores = np.array([e.score for e in episodes])
    draws = np.random.default_rng(0).integers(len(scores), size=(BOOTSTRAP_DRAWS, len(scores)))
    low, high = np.percentile(scores[draws].mean(axis=1), [2.5, 97.5])
    return Summary(
        episodes=len(scores),
        mean=float(scores.mean()),
        low=float(low),
        high=float(high),
        std=float(scores.std(ddof=1)) if len(scores) > 1 else 0.0,
        min=float(scores.min()),
        median=float(np.median(scores)),
        max=float(scores.max()),
        laps=sum(e.laps for e in episodes),
        frames=float(np.mean([e.frames for e in episodes])),
    )


def summary_line(who: str, episodes: list[Episode]) -> str:
    """The statistics in one line."""
    s = summarise(episodes)
    return (
        f"{who}: {s.episodes} episodes, mean {s.mean:.1f} [{s.low:.1f}, {s.high:.1f}], std {s.std:.1f},"
        f" min {s.min:.1f}, median {s.median:.1f}, max {s.max:.1f}, laps {s.laps}/{s.episodes}"
    )
