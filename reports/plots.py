"""Plots of the scores, made from the CSV files."""

from __future__ import annotations

import numpy as np
from gymnasium.envs.box2d.car_racing import FPS, TRACK_DETAIL_STEP
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from racing.episode import Episode
from reports.colours import DRIVERS
from reports.png import as_png
from reports.report import ROWS, Row

GOOD = (850, 950)  # range of the scores of good drivers, which a second panel shows enlarged
SCORE = "score on an unseen track"


def plot_scores(scores: dict[str, list[Episode]]) -> bytes:
    """Plot every episode as a dot in its driver's row; a second panel enlarges the range GOOD. Returns a PNG."""
    rows = [row for row in ROWS if row.stem in scores]
    figure = Figure(figsize=(11, 0.55 * len(rows) + 1.4), layout="constrained")
    whole, good = figure.subplots(1, 2, sharey=True, width_ratios=(3, 4))
    rng = np.random.default_rng(0)
    for y, row in enumerate(reversed(rows)):
        values = np.array([e.score for e in scores[row.stem]])
        laps = np.array([bool(e.laps) for e in scores[row.stem]])
        height = y + rng.uniform(-0.24, 0.24, len(values))
        for axes, size in ((whole, 10), (good, 22)):
            colour = DRIVERS[row.stem]
            axes.scatter(values[laps], height[laps], s=size, color=colour, alpha=0.75, lw=0)
            axes.scatter(values[~laps], height[~laps], s=size, fc="none", ec=colour, lw=0.9)
            axes.plot([values.mean()] * 2, [y - 0.36, y + 0.36], color="black", lw=2)
    good.set_xlim(*GOOD)
    good.set_xlabel(f"the same from {GOOD[0]} to {GOOD[1]}")
    whole.axvspan(*GOOD, color="black", alpha=0.06, lw=0)
    whole.set_yticks(range(len(rows)), [row.title for row in reversed(rows)])
    whole.set_xlabel(SCORE)
    whole.scatter([], [], s=22, color="dimgrey", lw=0, label="lap completed")
    whole.scatter([], [], s=22, fc="none", ec="dimgrey", label="no lap")
    whole.plot([], [], color="black", lw=2, label="mean")
    figure.legend(loc="outside upper center", ncols=3, frameon=False)
    for axes in (whole, good):
        axes.grid(axis="x", alpha=0.3)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(axis="y", length=0)
    return as_png(figure)


def plot_speed_and_missed_tiles(scores: dict[str, list[Episode]]) -> bytes:
    """Plot score against mean speed and against missed tiles, for drivers that complete laps. Returns a PNG."""
    rows = [row for row in ROWS if row.stem in scores and gets_round(scores[row.stem])]
    figure = Figure(figsize=(11, 4), layout="constrained")
    by_speed, by_missed = figure.subplots(1, 2)
    below = _draw_speed(by_speed, rows, scores)
    _draw_missed(by_missed, rows, scores)
    by_speed.set_ylim(*GOOD)
    if below:
        note = f"below {GOOD[0]}: {', '.join(below)}"
        by_speed.annotate(note, (0.02, 0.04), xycoords="axes fraction", fontsize="small")
    by_speed.set_xlabel("mean speed along the road, units/s")
    by_speed.set_ylabel("score")
    by_missed.set_xlabel("tiles not touched (one is enough to keep the lap from ending)")
    by_missed.set_ylabel("score")
    figure.legend(loc="outside upper center", ncols=4, frameon=False)
    for axes in (by_speed, by_missed):
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    return as_png(figure)


def _draw_speed(axes: Axes, rows: list[Row], scores: dict[str, list[Episode]]) -> list[str]:
    """Draw score against speed; returns notes on drivers with episodes below the panel."""
    below = []
    for row in rows:
        seen = [e for e in scores[row.stem] if e.score >= GOOD[0]]
        if len(seen) < len(scores[row.stem]):
            below.append(f"{len(scores[row.stem]) - len(seen)} of {row.title}")
        speed, score = [mean_speed(e) for e in seen], [e.score for e in seen]
        colour = DRIVERS[row.stem]
        axes.scatter(speed, score, s=20, alpha=0.7, lw=0, color=colour, label=row.title)
    return below


def _draw_missed(axes: Axes, rows: list[Row], scores: dict[str, list[Episode]]) -> None:
    """Draw score against missed tiles, with drivers side by side, and how many of their episodes missed none."""
    rng = np.random.default_rng(0)
    aside = np.linspace(-0.3, 0.3, len(rows)) if len(rows) > 1 else np.zeros(1)
    none = []
    for row, shift in zip(rows, aside, strict=False):
        episodes = scores[row.stem]
        missed = np.array([e.track_tiles - e.tiles for e in episodes])
        none.append(f"{row.title}: {(missed == 0).sum()} of {len(missed)}")
        x = missed + shift + rng.uniform(-0.08, 0.08, len(missed))
        score = [e.score for e in episodes]
        axes.scatter(x, score, s=20, alpha=0.7, lw=0, color=DRIVERS[row.stem])
    axes.set_xscale("symlog", linthresh=5)
    axes.set_xlim(-1, 400)
    axes.set_xticks([0, 1, 2, 3, 5, 10, 30, 100, 300])
    axes.xaxis.set_major_formatter("{x:.0f}")
    names = "\n".join(["no tile missed by", *none])
    axes.annotate(names, (0.02, 0.04), xycoords="axes fraction", fontsize="small")


def gets_round(episodes: list[Episode]) -> bool:
    """Return whether a driver has completed any laps, so that plots of how points are lost include it."""
    return any(e.laps for e in episodes)


def mean_speed(episode: Episode) -> float:
    """Return the mean speed along the road in units/s, from the tiles and the simulator's distance between them."""
    return float(episode.tiles * TRACK_DETAIL_STEP / (episode.frames / FPS))
