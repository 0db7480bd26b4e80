"""The panels of a run's review: each plots one aspect, or says that there is no data."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from reports.colours import DRIVERS, LAP, NO_LAP
from reports.curves import BINS
from reports.png import as_png
from reports.review_data import Review, minutes

ONE, OTHER, GREY = DRIVERS["ddqn"], DRIVERS["pid"], "#747474"
WIDTH, HEIGHT = 6.4, 3.0  # of a panel, inches
DPI = 100
MAPS_ROW = 1.3  # height of the maps, in panels
Points = NDArray[np.float64]


@dataclass(frozen=True)
class Panel:
    """A panel.

    Attributes:
        title: Its title.
        draw: Draws the panel; returns false if there is no data.
    """

    title: str
    draw: Callable[[Axes, Review], bool]


def _scores(axes: Axes, r: Review) -> bool:
    if r.training is not None:
        x, score = r.training.T
        axes.plot(x / 1000, score, color=GREY, lw=1.2, label="training episodes, mean")
    if r.validation is not None:
        x, mean = r.validation[:, 0] / 1000, r.validation[:, 3]
        error = 1.96 * r.validation[:, 4] / np.sqrt(r.validation[:, 6])
        axes.errorbar(x, mean, error, fmt="o-", ms=4, color=ONE, capsize=3, label="validation")
    if r.tested:
        axes.axhspan(r.tested.low, r.tested.high, color=OTHER, alpha=0.25, lw=0)
        axes.axhline(r.tested.mean, color=OTHER, lw=1.2, label="test")
    return r.training is not None or r.validation is not None


def _loss(axes: Axes, r: Review) -> bool:
    return _curve(axes, r.scalars.get("learning/loss"), ONE, "loss", positive=True)


def _values(axes: Axes, r: Review) -> bool:
    """Draw mean Q, and the value if the mean reward of each episode went on forever."""
    drawn = _curve(axes, r.scalars.get("learning/q"), ONE, "mean Q")
    gamma = r.config.get("gamma")
    if r.returns is not None and isinstance(gamma, float) and gamma < 1:
        even = np.stack([r.returns[:, 0], r.returns[:, 1] / (1 - gamma)], axis=1)
        drawn |= _curve(axes, even, OTHER, "return per decision / (1 − γ)")
    axes.axhline(0, color="black", lw=0.6)
    return drawn


def _epsilon(axes: Axes, r: Review) -> bool:
    found = r.scalars.get("learning/epsilon")
    if found is None and r.returns is not None:
        found = r.returns[:, [0, 2]]
    return _curve(axes, found, ONE, "ε, mean of the cars", smooth=False)


def _rate(axes: Axes, r: Review) -> bool:
    found = r.scalars.get("learning/learning_rate")
    axes.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
    return _curve(axes, found, ONE, "learning rate", smooth=False)


def _speed(axes: Axes, r: Review) -> bool:
    one = _curve(axes, r.scalars.get("speed/decisions_per_second"), ONE, "decisions/s")
    other = _curve(axes, r.scalars.get("speed/updates_per_second"), OTHER, "updates/s")
    axes.set_ylim(bottom=0)
    return one or other


def _time(axes: Axes, r: Review) -> bool:
    found = minutes(r)
    left = 0.0
    for (what, taken), colour in zip(found.items(), (ONE, OTHER, GREY), strict=False):
        axes.barh(0, taken, left=left, color=colour, label=f"{what}: {taken:.1f} min")
        left += taken
    axes.set_yticks([])
    axes.set_ylim(-0.6, 2.2)
    if found:
        axes.legend(frameon=False, fontsize="small", loc="upper left")
    axes.set_xlabel("minutes")
    return bool(found)


def _tracks(axes: Axes, r: Review) -> bool:
    """Draw the score on every test track, worst first."""
    ordered = sorted(r.test, key=lambda e: e.score)
    for laps, colour, label in ((1, LAP, "lap completed"), (0, NO_LAP, "no lap")):
        some = [(i, e.score) for i, e in enumerate(ordered, start=1) if e.laps == laps]
        if some:
            place, score = np.array(some).T
            axes.scatter(place, score, s=14, color=colour, lw=0, label=label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("test tracks, worst first")
    return bool(r.test)


PANELS = (
    Panel("Score", _scores),
    Panel("Mean Q and what training paid", _values),
    Panel("Loss", _loss),
    Panel("Exploration", _epsilon),
    Panel("Learning rate", _rate),
    Panel("Speed", _speed),
    Panel("Where the time went", _time),
    Panel("Test tracks", _tracks),
)


def _curve(
    axes: Axes,
    points: Points | None,
    colour: str,
    label: str,
    smooth: bool = True,
    positive: bool = False,
) -> bool:
    """Draw all points faintly, with means over parts of the run on top; a few points are simply joined by a line."""
    if points is None:
        return False
    x, y = points[:, 0] / 1000, points[:, 1]
    if smooth and len(points) > 2 * BINS:
        axes.plot(x, y, color=colour, lw=0.6, alpha=0.3)
        parts = np.array_split(np.arange(len(x)), BINS)
        x, y = (np.array([v[part].mean() for part in parts]) for v in (x, y))
        low, high = np.percentile(points[:, 1], [1, 99])
        room = 0.1 * max(high - low, 1e-9)
        bottom, top = axes.get_ylim() if len(axes.lines) > 1 else (np.inf, -np.inf)
        axes.set_ylim(min(bottom, low - room), max(top, high + room))  # ignores single spikes
    axes.plot(x, y, color=colour, lw=1.6, label=label)
    if positive and (points[:, 1] > 0).all():
        axes.set_yscale("log")
    return True


def _draw(panel: Panel, axes: Axes, review: Review) -> None:
    axes.set_title(panel.title, loc="left", fontsize="medium")
    axes.set_xlabel("decisions / 1000")
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    if panel.draw(axes, review):
        if not axes.get_legend():  # above the axes, because finding the best place inside is slow
            where: dict[str, Any] = {
                "loc": "lower right",
                "bbox_to_anchor": (1, 1),
                "borderaxespad": 0,
            }
            axes.legend(frameon=False, fontsize="small", ncols=3, **where)
        axes.set_xlim(left=0)
    else:
        axes.axis("off")
        axes.text(0.5, 0.5, "nothing recorded", ha="center", transform=axes.transAxes, color=GREY)


def panel_svg(panel: Panel, review: Review) -> bytes:
    """Draw one panel as SVG, for the page."""
    figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
    _draw(panel, figure.subplots(), review)
    svg = io.BytesIO()
    figure.savefig(svg, format="svg", metadata={"Date": None})
    return svg.getvalue()


def overview(review: Review, lines: list[str], maps: list[bytes], mark: str) -> bytes:
    """Draw all panels in one picture, a PNG.

    Args:
        review: The run.
        lines: Lines of text at the top.
        maps: Maps of test drives, PNGs of the same size.
        mark: Text in the file's metadata that names the command.
    """
    rows = len(PANELS) / 2 + (MAPS_ROW if maps else 0)
    figure = Figure(figsize=(2 * WIDTH, rows * HEIGHT + 0.25 * len(lines)), layout="constrained")
    text = 0.25 * len(lines)
    parts: Any = figure.subfigures(2, 1, height_ratios=(text, rows * HEIGHT))
    above, below = parts
    above.text(0.01, 0.95, "\n".join(lines), va="top", fontsize="large", linespacing=1.4)
    kinds: Any = (
        below.subfigures(2, 1, height_ratios=(rows - MAPS_ROW, MAPS_ROW)) if maps else [below]
    )
    for panel, axes in zip(PANELS, kinds[0].subplots(len(PANELS) // 2, 2).flat, strict=True):
        _draw(panel, axes, review)
    if maps:
        _maps(kinds[1].subplots(1, len(maps), squeeze=False)[0], maps)
    return as_png(figure, DPI, mark)


def _maps(places: NDArray[np.object_], maps: list[bytes]) -> None:
    from matplotlib.image import imread

    for axes, png in zip(places, maps, strict=True):
        axes.imshow(imread(io.BytesIO(png), format="png"))
        axes.axis("off")
