"""Pictures of the scores, from the CSVs alone."""

from __future__ import annotations

import io

import numpy as np
from gymnasium.envs.box2d.car_racing import FPS, TRACK_DETAIL_STEP
from matplotlib.figure import Figure

from racing.episode import Episode
from reports.report import ROWS

LAP, NO_LAP = "#1b7f5c", "#c2502d"
GETS_ROUND = 400  # mean score; random is far below
COLOURS = {
    "pid": "#c2502d",
    "human": "#8e44ad",
    "dqn": "#33659c",
    "ddqn": "#1b7f5c",
    "ancestor-dqn": "#9db7d3",
    "ancestor-ddqn1": "#b9d8a8",
    "ancestor-ddqn2": "#7fb08a",
}


def plot_scores(scores: dict[str, list[Episode]]) -> bytes:
    """Every episode a dot, every driver a row. A PNG."""
    rows = [row for row in ROWS if row.stem in scores]
    figure = Figure(figsize=(8, 0.7 * len(rows) + 1.2), layout="constrained")
    axes = figure.subplots()
    rng = np.random.default_rng(0)
    for y, row in enumerate(reversed(rows)):
        values = np.array([e.score for e in scores[row.stem]])
        laps = np.array([bool(e.laps) for e in scores[row.stem]])
        height = y + rng.uniform(-0.22, 0.22, len(values))
        axes.scatter(values[laps], height[laps], s=12, color=LAP, alpha=0.8, lw=0)
        axes.scatter(values[~laps], height[~laps], s=12, color=NO_LAP, alpha=0.8, lw=0)
        axes.plot([values.mean()] * 2, [y - 0.35, y + 0.35], color="black", lw=2)
    axes.scatter([], [], s=12, color=LAP, label="lap completed")
    axes.scatter([], [], s=12, color=NO_LAP, label="no lap")
    axes.plot([], [], color="black", lw=2, label="mean")
    figure.legend(loc="outside upper center", ncols=3, frameon=False)
    axes.set_yticks(range(len(rows)), [row.title for row in reversed(rows)])
    axes.set_xlabel("score on an unseen track (official camera, 1000 frames at most)")
    axes.grid(axis="x", alpha=0.3)
    axes.spines[["top", "right", "left"]].set_visible(False)
    return _png(figure)


def plot_speed_and_missed_tiles(scores: dict[str, list[Episode]]) -> bytes:
    """Score against mean speed and against missed tiles; every episode of who gets round a dot. A PNG."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    by_speed, by_missed = figure.subplots(1, 2, sharey=True)
    rng = np.random.default_rng(0)
    rows = [row for row in ROWS if row.stem in scores and gets_round(scores[row.stem])]
    aside = np.linspace(-0.22, 0.22, max(len(rows), 2))  # many miss none: drivers beside each other
    for row, shift in zip(rows, aside, strict=False):
        episodes = scores[row.stem]
        score = [e.score for e in episodes]
        speed = [mean_speed(e) for e in episodes]
        missed = np.array([e.track_tiles - e.tiles for e in episodes])
        missed = missed + shift + rng.uniform(-0.08, 0.08, len(missed))
        for axes, x in ((by_speed, speed), (by_missed, missed)):
            axes.scatter(x, score, s=14, alpha=0.7, lw=0, color=COLOURS[row.stem])
        by_speed.scatter([], [], s=14, color=COLOURS[row.stem], label=row.title)
    by_missed.set_xscale("symlog", linthresh=5)
    by_missed.set_xlim(left=-1)
    by_missed.set_xticks([0, 1, 2, 3, 5, 10, 30, 100])
    by_missed.xaxis.set_major_formatter("{x:.0f}")
    by_missed.set_xlabel("tiles not touched (one is enough to keep the lap from ending)")
    by_speed.set_xlabel("mean speed along the road, units/s")
    by_speed.set_ylabel("score")
    figure.legend(loc="outside upper center", ncols=4, frameon=False)
    for axes in (by_speed, by_missed):
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    return _png(figure)


def gets_round(episodes: list[Episode]) -> bool:
    """Whether a driver belongs into a picture of how laps are lost."""
    return bool(np.mean([e.score for e in episodes]) > GETS_ROUND)


def mean_speed(episode: Episode) -> float:
    """Along the road, units/s: tiles are as far apart as the simulator lays them out."""
    return float(episode.tiles * TRACK_DETAIL_STEP / (episode.frames / FPS))


def _png(figure: Figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=130)
    return file.getvalue()
