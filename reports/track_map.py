"""Draws a map of a drive: the car's path coloured by speed, with missed tiles marked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray

from evaluation.drivers import Driver
from evaluation.evaluation import frame_by_frame
from racing.episode import Episode, finished
from racing.simulator import Simulator
from racing.spec import CameraName
from reports.png import as_png
from system.files import write_whole

FASTEST = 100.0  # units/s, top of the colour scale, which is the same on every map
ROAD, MISSED, AHEAD, OFF_ROAD = "#bdbdbd", "#e34a33", "#ececec", "#d01c8b"


def write_map(driver: Driver, track: int, path: Path, camera: CameraName = "official") -> Episode:
    """Drive a track and write a map of the drive.

    Args:
        driver: The driver.
        track: Reset seed.
        path: File to write, a PNG.
        camera: The camera that the driver sees.

    Returns:
        The record of the episode.

    Raises:
        OSError: If the file cannot be written.
    """
    figure, episode = drive_map(driver, track, Path(driver.name).stem, camera)
    write_whole(path, as_png(figure, dpi=120))
    return episode


def drive_map(
    driver: Driver,
    track: int,
    who: str,
    camera: CameraName = "official",
    on_progress: Callable[[int], None] = lambda frame: None,
) -> tuple[Figure, Episode]:
    """Drive a track and draw a map of the drive.

    Args:
        driver: The driver.
        track: Reset seed.
        who: Name of the driver in the title.
        camera: The camera that the driver sees.
        on_progress: Called after every frame with the number of frames so far.

    Returns:
        The figure, and the record of the episode.
    """
    moments = []  # x, y, speed, no wheel on the road
    for world in frame_by_frame(driver, track, camera):
        hull = world.simulator.car.hull
        moments.append((*hull.position, hull.linearVelocity.length, world.simulator.on_grass))
        on_progress(len(moments))
    episode = finished(world, track)
    title = (
        f"{who}, track {track}: score {episode.score:.1f}, {episode.frames} frames,"
        f" {episode.tiles} of {episode.track_tiles} tiles"
    )
    return draw_map(world.simulator, np.array(moments), title), episode


def draw_map(simulator: Simulator, moments: NDArray[np.float64], title: str) -> Figure:
    """Draw a map of an episode that has ended, up to the end of its first lap.

    Args:
        simulator: The simulator at the end of the episode.
        moments: x and y (units), speed (units/s), and 1 if no wheel was on the road, float64 [frames, 4].
        title: Title of the figure.
    """
    figure = Figure(figsize=(8, 7), layout="constrained")
    axes = figure.add_subplot(aspect="equal")
    axes.set_title(title)
    axes.axis("off")
    _draw_road(axes, simulator)
    lap = moments[: _first_lap(simulator, moments[:, :2])]
    xy, speed, off = lap[:, :2], lap[:, 2], lap[:, 3] > 0
    line = LineCollection(
        list(np.stack([xy[:-1], xy[1:]], axis=1)), cmap="viridis", lw=2, capstyle="round"
    )
    line.set_array(speed[1:])
    line.set_clim(0, FASTEST)
    axes.add_collection(line)
    if off.any():
        axes.scatter(
            xy[off, 0], xy[off, 1], s=20, color=OFF_ROAD, zorder=2, lw=0, label="off the road"
        )
    axes.plot(*xy[0], "k^", ms=9, label="start")
    axes.plot(
        *xy[-1], "ks", ms=7, label="end" if len(lap) == len(moments) else "end of the first lap"
    )
    figure.colorbar(line, label="speed, units/s", shrink=0.6)
    figure.legend(loc="outside lower center", ncols=5, frameon=False)
    return figure


def _first_lap(simulator: Simulator, xy: NDArray[np.float64]) -> int:
    """Return the number of frames until the car came back to the start; all if it did not. xy is [frames, 2]."""
    road = np.array([(x, y) for _, _, x, y in simulator.track])  # [tiles, 2]
    nearest = ((xy[:, None] - road) ** 2).sum(axis=-1).argmin(axis=1)  # [frames]
    along = np.unwrap(nearest.astype(np.float64), period=len(road))
    round_again = np.flatnonzero(along - along[0] >= len(road))
    return int(round_again[0]) + 1 if len(round_again) else len(xy)


def _draw_road(axes: Axes, simulator: Simulator) -> None:
    """Draw every tile of the road, coloured by whether it was visited."""
    shapes = [p for p, colour in simulator.road_poly if not isinstance(colour, tuple)]  # no kerbs
    untouched = set(range(len(shapes))) - set(simulator.visits)
    missed = {tile for tile in untouched if tile <= simulator.front}
    kinds = (
        ("road", ROAD, set(range(len(shapes))) - untouched),
        ("missed tile", MISSED, missed),
        ("not reached", AHEAD, untouched - missed),
    )
    for label, colour, tiles in kinds:
        if tiles:
            tile_shapes = [shapes[tile] for tile in sorted(tiles)]
            axes.add_collection(PolyCollection(tile_shapes, fc=colour, ec=colour, label=label))
    axes.autoscale_view()
