"""The evaluation protocol of all drivers: whole episodes of up to 1000 frames, unshaped reward, no early end."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, wait
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.sharedctypes import Synchronized

import numpy as np
from numpy.typing import NDArray

from evaluation.drivers import Driver, acting, check_driver, load_driver
from evaluation.split import PLACES, count_processes, groups_in_step, learned
from racing import driving
from racing.episode import Episode, finished
from racing.simulator import TIME_LIMIT_FRAMES
from racing.spec import CameraName
from racing.tracks import TEST
from racing.world import World
from system.process_pool import in_processes
from system.progress import OnProgress, no_progress, notify

BOOTSTRAP_DRAWS = 10_000
TELL_SECONDS = 0.5


def drive(driver: Driver, track: int, camera: CameraName = "official") -> Episode:
    """Drive one whole episode."""
    [episode] = drive_together(driver, [track], camera)
    return episode


def drive_together(
    driver: Driver,
    tracks: Sequence[int],
    camera: CameraName = "official",
    on_progress: Callable[[float], None] = lambda gain: None,
) -> list[Episode]:
    """Drive one whole episode on each track, in lockstep.

    Args:
        driver: The driver; a trained one computes the actions for all tracks at once.
        tracks: Reset seeds, each with a different place in a batch (see `evaluation.split`).
        camera: Which camera the driver sees with.
        on_progress: Called after every decision with the progress since the last call; it adds up to 1 per episode.

    Returns:
        One record per track, in order.
    """
    worlds = [World(driver.world, camera) for _ in tracks]
    for moments in driving.drive_together(worlds, tracks, driver.acting_on(tracks)):
        frames = sum(moment.step.frames for moment in moments.values())
        spared = sum(
            TIME_LIMIT_FRAMES - worlds[car].simulator.frames
            for car in moments
            if worlds[car].end_reason
        )
        on_progress((frames + spared) / TIME_LIMIT_FRAMES)
    return [finished(world, track) for world, track in zip(worlds, tracks, strict=True)]


def frame_by_frame(driver: Driver, track: int, camera: CameraName = "official") -> Iterator[World]:
    """Drive the same episode as `drive`, and yield its world after every frame (1/50 s)."""
    world = World(replace(driver.world, frame_skip=1), camera)
    act = acting(driver.policy(track))
    for _ in driving.drive(world, track, act, hold=driver.world.frame_skip):
        yield world


def evaluate(
    name: str,
    tracks: list[int] | None = None,
    camera: CameraName = "official",
    processes: int | None = None,
    on_progress: OnProgress = no_progress,
    notify: Callable[[str], None] = notify,
) -> list[Episode]:
    """Drive a list of tracks, in parallel. An episode depends only on the driver and the track.

    Args:
        name: Name of the driver.
        tracks: Reset seeds; the first 50 test tracks if None.
        camera: Which camera the driver sees with.
        processes: Number of processes; if None, as many as the available cores and memory allow.
        on_progress: Called twice a second and at the end, with the episodes driven (including parts) and in total.
        notify: Called with one line if there is too little memory for this many processes.

    Returns:
        One record per track, in order.

    Raises:
        ValueError: If there is no such driver, or too little memory for one process.
        ChildProcessError: If a process died; the message says why.
    """
    tracks = list(TEST[:50]) if tracks is None else tracks
    check_driver(name)
    count = count_processes(name, processes, len(tracks), notify)
    groups = groups_in_step(tracks, min(PLACES, -(-len(tracks) // count)) if learned(name) else 1)
    try:
        done = multiprocessing.get_context("spawn").Value("d", 0.0)
    except OSError as e:  # the error does not say where
        raise OSError(e.errno, f"{e.strerror}: processes share memory there", "/dev/shm") from None
    calls = [partial(_drive, [tracks[i] for i in group]) for group in groups]
    begin = partial(_begin, name, camera, done)
    with in_processes(calls, count, "drive again", begin) as driven:
        waiting = set(driven)
        while waiting:
            ready, waiting = wait(waiting, TELL_SECONDS, FIRST_EXCEPTION)
            for future in ready:
                future.result()  # raises what went wrong
            on_progress(done.value if waiting else len(tracks), len(tracks))
    episodes = {
        index: episode
        for group, future in zip(groups, driven, strict=True)
        for index, episode in zip(group, future.result(), strict=True)
    }
    return [episodes[i] for i in range(len(tracks))]


def _begin(name: str, camera: CameraName, done: Synchronized[float]) -> None:
    """Load the driver, once in each process."""
    global _driver, _camera, _done
    _camera, _done = camera, done
    try:
        _driver = load_driver(name)
    except ValueError as e:  # raised with the first task
        _driver = e
    except (MemoryError, ImportError) as e:
        _driver = ChildProcessError(f"a process could not load what drives: {e or 'out of memory'}")


def _drive(tracks: list[int]) -> list[Episode]:
    if isinstance(_driver, Exception):
        raise _driver
    return drive_together(_driver, tracks, _camera, _count)


def _count(gain: float) -> None:
    with _done.get_lock():
        _done.value += gain


_driver: Driver | Exception
_camera: CameraName
_done: Synchronized[float]


@dataclass(frozen=True)
class Summary:
    """Statistics of a driver's scores.

    Attributes:
        episodes: Number of episodes.
        mean: Mean score.
        low: Lower end of the 95 % bootstrap confidence interval of the mean.
        high: Upper end of this interval.
        std: Sample standard deviation (n - 1).
        min: Lowest score.
        median: Median score.
        max: Highest score.
        laps: Number of laps completed.
        frames: Mean length of an episode, frames.
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
    """Compute statistics over at least one episode; the interval is a percentile bootstrap with a fixed seed."""
    scores = np.array([e.score for e in episodes])
    low, high = bootstrap_interval(scores)
    return Summary(
        episodes=len(scores),
        mean=float(scores.mean()),
        low=low,
        high=high,
        std=float(scores.std(ddof=1)) if len(scores) > 1 else 0.0,
        min=float(scores.min()),
        median=float(np.median(scores)),
        max=float(scores.max()),
        laps=sum(e.laps for e in episodes),
        frames=float(np.mean([e.frames for e in episodes])),
    )


def bootstrap_interval(values: Sequence[float] | NDArray[np.float64]) -> tuple[float, float]:
    """Compute the 95 % percentile bootstrap interval of the mean of at least one value, with a fixed seed."""
    array = np.asarray(values, np.float64)
    draws = np.random.default_rng(0).integers(len(array), size=(BOOTSTRAP_DRAWS, len(array)))
    low, high = np.percentile(array[draws].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


def summary_line(who: str, episodes: list[Episode]) -> str:
    """Format the statistics as one line."""
    s = summarise(episodes)
    return (
        f"{who}: {s.episodes} episodes, mean {s.mean:.1f} [{s.low:.1f}, {s.high:.1f}], std {s.std:.1f},"
        f" min {s.min:.1f}, median {s.median:.1f}, max {s.max:.1f}, laps {s.laps}/{s.episodes}"
    )
