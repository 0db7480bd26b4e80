"""The oracle's practice: it drives many laps of one track to find the fastest plan that can be driven."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.limit.car import gripping
from benchmarks.limit.line import Line, best_line, time_line
from benchmarks.limit.oracle import Drive, Plan, Style, follow
from benchmarks.limit.road import Road, widest
from racing.simulator import Simulator

Array = NDArray[np.float64]

WIDTH = 7.5  # units from the middle; up to 5.8, all wheels can be on the road, up to 8 two of them
LINE_GRIP = 0.92  # share of the grip that the line is computed with
CARE = (0.95, 0.9, 0.85, 0.8, 0.7)  # constant shares of the grip that are tried first
MOST = 1.05  # largest share; where the line is cautious, the car has a little more grip
BUMP_WIDTH = (4.0, 24.0)  # width of a random change of the share, boundaries
BUMP = 0.04  # typical size of a random change
FINE_BESIDE = 1.0  # units from the line that are acceptable
MORE, LESS = 0.04, 0.01  # changes of the share from lap to lap


@dataclass(frozen=True)
class Practised:
    """The fastest drive of a practice.

    Attributes:
        drive: Its result.
        line: The line that it followed.
        laps: Total number of drives of the practice.
    """

    drive: Drive
    line: Line
    laps: int


@dataclass(frozen=True)
class _Attempt:
    """A drive: the share of the grip that it used at every boundary, its result, and its line."""

    care: Array
    drive: Drive
    line: Line


def practise(simulator: Simulator, track: int, road: Road, laps: int, bound: Line) -> Practised:
    """Drive with several constant shares of the grip, then repeatedly change the best one locally.

    Args:
        simulator: The simulator.
        track: Reset seed.
        road: Road of the track.
        laps: Number of drives.
        bound: The best line of the optimistic car, where the search for the oracle's line starts.

    Returns:
        The fastest lap or, without any, the drive that touched most tiles.
    """
    full, style = gripping(), Style()
    car = replace(full, grip=LINE_GRIP * full.grip)
    begin = 0.9 * WIDTH * bound.offset / widest()
    offset = best_line(road, car, WIDTH, begin).offset

    def drive(care: Array) -> _Attempt:
        line = time_line(road, offset, full, care)
        return _Attempt(care, follow(simulator, track, Plan(line), style), line)

    attempts = [drive(np.full(len(offset), share)) for share in CARE[:laps]]
    best, rng = min(attempts, key=_rank), np.random.default_rng(track)
    lesson = attempts[-1]
    for _ in range(laps - len(attempts)):
        care = _bumped(best.care, rng)
        if not best.drive.lap or rng.random() < 0.5:
            care = _learned(care, lesson)
        lesson = drive(care)
        best = min(best, lesson, key=_rank)
        if best.drive.lap:
            lesson = best
    return Practised(best.drive, best.line, laps)


def _bumped(care: Array, rng: np.random.Generator) -> Array:
    """Change the shares a little around a random position."""
    middle, wide = rng.uniform(0, len(care)), rng.uniform(*BUMP_WIDTH)
    bump = BUMP * rng.normal(0.3) * np.exp(-(((np.arange(len(care)) - middle) / wide) ** 2))
    return np.asarray(np.clip(care + bump, 0.4, MOST))


def _learned(care: Array, lesson: _Attempt) -> Array:
    """Reduce the shares before the places where the car strayed from the line, and increase them slightly elsewhere."""
    drive, line = lesson.drive, lesson.line
    far = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line.points, axis=0).T))])
    beside = np.abs(np.interp(far, drive.moments[:, 3], drive.moments[:, 4], right=0.0))
    last = int(np.searchsorted(far, drive.moments[-1, 3]))
    wrong = np.clip((beside - FINE_BESIDE) / FINE_BESIDE, -1.0, 1.0)
    change = np.where(wrong > 0, -MORE * wrong, -LESS * wrong)
    if not drive.lap:
        change[max(0, last - 12) :] = 0.0
        change[max(0, last - 12) : last + 2] = -2 * MORE
    reach = np.arange(-4, 16)  # boundaries; the cause of an error lies before it
    spread = np.exp(-(((reach - 4.0) / 5) ** 2))
    padded = np.concatenate([np.zeros(4), change, np.zeros(15)])
    smooth = (
        np.array([(padded[i : i + 20] * spread).sum() for i in range(len(change))]) / spread.sum()
    )
    return np.asarray(np.clip(care + smooth, 0.4, MOST))


def _rank(attempt: _Attempt) -> tuple[float, float]:
    """Return a sort key, smaller is better: laps by frames, then by the last position; other drives by tiles."""
    drive = attempt.drive
    if not drive.lap:
        return float("inf"), -float(drive.tiles)
    return float(drive.frames), -float(drive.moments[-1, 3])
