"""Draws one track with the best line, the agent's line, and the frames that the agent loses in each bend."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
from gymnasium.envs.box2d.car_racing import TRACK_WIDTH
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray

from benchmarks.limit.bound import bound, frames_of
from benchmarks.limit.car import FRAME
from benchmarks.limit.line import Line
from benchmarks.limit.road import Road, road_of
from evaluation.drivers import load_driver
from evaluation.evaluation import frame_by_frame
from racing.simulator import Simulator
from reports.png import as_png
from system.files import write_whole

Array = NDArray[np.float64]

BEST, AGENT, TARMAC, LOST = "#1b7f5c", "#c2502d", "#d9d9d9", "#222222"
SMOOTHED = 4  # boundaries on either side over which the road's curvature is averaged
SHARP = 0.05  # radians per tile, the smallest curvature of a bend
LABEL_ASIDE = 13.0  # units from the middle of the road
SAY_EVERY = 200  # frames


def draw_limit(track: int, weights: Path, png: Path) -> None:
    """Drive a track with an agent and draw its line together with the best line.

    Args:
        track: Reset seed.
        weights: Weight file of the agent.
        png: File to write.

    Raises:
        ValueError: If the weights cannot be loaded, or the agent does not complete the lap.
        OSError: If the picture cannot be written.
    """
    driver = load_driver(str(weights))
    simulator = Simulator()
    simulator.start(track)
    road = road_of(simulator)
    print(f"track {track}: looking for the best line", flush=True)
    best = bound(road)
    moments = []
    for world in frame_by_frame(driver, track):
        moments.append(tuple(world.simulator.car.hull.position))
        if len(moments) % SAY_EVERY == 0:
            print(f"{weights.stem}: frame {len(moments)}", flush=True)
    if world.end_reason != "lap":
        raise ValueError(f"{weights} does not complete track {track}: take another track")
    figure = _figure(road, best, np.array(moments))
    axes = figure.axes[0]
    axes.set_title(
        f"Track {track}: bound {frames_of(best.seconds)} frames,"
        f" {weights.stem} {world.simulator.frames} frames"
    )
    write_whole(png, as_png(figure))
    print(png, flush=True)


def crossings(road: Road, moments: Array) -> Array:
    """Return the number of frames after which a car crossed each boundary, [boundaries].

    Args:
        road: Road of the track.
        moments: x and y of the car after every frame, units, [frames, 2].
    """
    ahead = np.stack([-road.right[:, 1], road.right[:, 0]], axis=1)
    frames, at = np.zeros(len(road.middle)), 0
    for i in range(1, len(frames)):
        beyond = (moments[at:] - road.middle[i]) @ ahead[i]
        near = np.hypot(*(moments[at:] - road.middle[i]).T) < 3 * TRACK_WIDTH
        over = np.flatnonzero((beyond >= 0) & near)
        if not len(over):  # the last boundaries: the lap ends when a front wheel reaches them
            frames[i:] = len(moments)
            break
        k = int(over[0])
        part = beyond[k - 1] / (beyond[k - 1] - beyond[k]) if k else 1.0
        at += k
        frames[i] = at + part if k else max(at + 1.0, frames[i - 1])
    return frames


def bends(road: Road) -> list[int]:
    """Return the boundaries at the apexes of the road's bends: the largest curvature of each turn."""
    course = np.unwrap(np.arctan2(road.right[:, 1], road.right[:, 0]))
    window = np.ones(2 * SMOOTHED + 1) / (2 * SMOOTHED + 1)
    turning = np.convolve(np.gradient(course), window, mode="same")
    side = np.where(np.abs(turning) < SHARP, 0.0, np.sign(turning))
    edges = np.flatnonzero(np.diff(side)) + 1
    parts = np.split(np.arange(len(side)), edges)
    return [int(p[np.abs(turning[p]).argmax()]) for p in parts if side[p[0]]]


def lost_frames(best: Line, driven: Array, apexes: list[int]) -> Array:
    """Return the frames lost in each bend, [bends]; the sections end half-way between neighbouring bends.

    Args:
        best: The line of the bound.
        driven: Frames after which the driver crossed the boundaries, [boundaries].
        apexes: Boundaries at the apexes of the bends.
    """
    planned = best.profile.time[:, 0] / FRAME
    behind = driven - (planned[1:] + planned[:-1]) / 2
    behind[0] = 0.0
    between = [(a + b) // 2 for a, b in pairwise(apexes)]
    return np.diff(behind[[0, *between, -1]])


def _figure(road: Road, best: Line, moments: Array) -> Figure:
    figure = Figure(figsize=(10, 8.5), layout="constrained")
    axes = figure.add_subplot(aspect="equal")
    axes.axis("off")
    edges = [road.points(np.full(len(road.middle), side * TRACK_WIDTH)) for side in (-1, 1)]
    quads = np.stack([edges[0][:-1], edges[1][:-1], edges[1][1:], edges[0][1:]], axis=1)
    axes.add_collection(PolyCollection(list(quads), fc=TARMAC, ec=TARMAC))
    axes.plot(*best.points.T, color=BEST, lw=1.6, label="best line of the bound")
    axes.plot(*moments.T, color=AGENT, lw=1.2, label="the agent's way")
    axes.plot(*road.middle[0], "k^", ms=9, label="start")
    apexes = bends(road)
    lost = lost_frames(best, crossings(road, moments), apexes)
    turn = np.sign(best.curvature[apexes])  # positive to the left; labels go to the outside
    for i, frames, side in zip(apexes, lost, turn, strict=True):
        x, y = road.middle[i] + side * LABEL_ASIDE * road.right[i]
        axes.text(x, y, f"{frames:+.0f}", ha="center", va="center", color=LOST, fontsize=11)
    figure.legend(loc="outside lower center", ncols=3, frameon=False, title="numbers: frames lost")
    return figure
