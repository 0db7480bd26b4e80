"""Tables and a plot of learning curves: how fast the agents learn."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from evaluation.evaluation import summarise
from reports.colours import DRIVERS, colours_of
from reports.curves import Curve, band, best_within, minutes_to
from reports.markdown import table
from reports.png import as_png
from reports.report import interval_over_seeds, score_cells

MARKS = (300, 600, 850, 900)
BUDGETS = (2, 5, 15, 60)  # minutes
PEER = "Stable-Baselines3 DQN"
PEER_NOTE = (
    "The last row is the peer, once, in the same world, with the same images, actions and shaped reward, on the same"
    " clock ([how](../benchmarks/README.md))."
)
AXES = ("minutes of training", "decisions / 1000", "updates / 1000")


def learning_table(curves: list[Curve], peer: NDArray[np.float64] | None) -> str:
    """Make tables in Markdown: means over the seeds, a row per run, time to a score, and best score within a time."""
    head = [
        "agent",
        "seed",
        *(f"min to {m}" for m in MARKS),
        "training",
        "all",
        "decisions",
        "updates",
    ]
    rows = [_run_row(c) for c in curves]
    runs = table([*head, "test mean", "95 % interval", "laps"], rows)
    head = ["minutes to a validation mean of", *map(str, MARKS)]
    marks = table(head, _mark_rows(curves, peer))
    head = [
        "best validation mean within minutes (in brackets: it had ended before)",
        *map(str, BUDGETS),
    ]
    parts = [_seed_table(curves), runs, marks, table(head, _budget_rows(curves, peer))]
    return "\n\n".join(parts if peer is None else [*parts, PEER_NOTE])


def _seed_table(curves: list[Curve]) -> str:
    """Make the table of mean test scores over the seeds, with intervals over the seeds, not over the tracks."""
    head = ["agent", "seeds", "test mean", "95 % interval over seeds", "worst seed", "laps"]
    rows = []
    for name in dict.fromkeys(c.name for c in curves):
        tests = [summarise(c.test) for c in curves if c.name == name]
        means = [t.mean for t in tests]
        laps = f"{sum(t.laps for t in tests)}/{sum(t.episodes for t in tests)}"
        mean = f"**{np.mean(means):.1f}**"
        interval, worst = interval_over_seeds(means), f"{min(means):.1f}"
        rows.append([name, str(len(means)), mean, interval, worst, laps])
    return table(head, rows)


def _run_row(c: Curve) -> list[str]:
    minutes, decisions, updates, _ = c.points[-1]
    return [
        c.name,
        str(c.seed),
        *(_minutes(minutes_to(c.points, m)) for m in MARKS),
        f"{minutes:.1f}",
        _minutes(c.minutes),
        f"{decisions:,.0f}",
        f"{updates:,.0f}",
        *score_cells(summarise(c.test)),
    ]


def _mark_rows(curves: list[Curve], peer: NDArray[np.float64] | None) -> list[list[str]]:
    """Make the rows of minutes to a score: medians over the seeds; a seed that never reached it counts as infinite."""
    rows = []
    for name in dict.fromkeys(c.name for c in curves):
        points = [c.points for c in curves if c.name == name]
        cells = []
        for mark in MARKS:
            taken = [minutes_to(p, mark) for p in points]
            reached = int(np.isfinite(taken).sum())
            cells.append(f"{_minutes(float(np.median(taken)))} ({reached}/{len(points)})")
        rows.append([f"{name}, median of {_seeds(len(points))} (reached by)", *cells])
    if peer is not None:
        cells = [_minutes(minutes_to(peer, m)) for m in MARKS]
        rows.append([f"{PEER}, 1 seed, {peer[-1, 0]:.0f} minutes", *cells])
    return rows


def _budget_rows(curves: list[Curve], peer: NDArray[np.float64] | None) -> list[list[str]]:
    """Make the rows of best scores within a time: medians over the seeds, in brackets if a run had ended earlier."""
    named = {
        name: [c.points for c in curves if c.name == name] for name in (c.name for c in curves)
    }
    if peer is not None:
        named[PEER] = [peer]
    rows = []
    for name, runs in named.items():
        cells = []
        for budget in BUDGETS:
            best = np.median([best_within(points, budget) for points in runs])
            ended = all(points[-1, 0] < budget for points in runs)
            cells.append(f"({best:.0f})" if ended else f"{best:.0f}" if np.isfinite(best) else "–")
        rows.append([name, *cells])
    return rows


def _minutes(minutes: float) -> str:
    return f"{minutes:.1f}" if np.isfinite(minutes) else "–"


def _seeds(count: int) -> str:
    return f"{count} seed{'s' if count > 1 else ''}"


Points = NDArray[np.float64]  # minutes, decisions, updates, score: [n, 4]


def plot_learning(curves: list[Curve], peer: Points | None) -> bytes:
    """Plot scores against minutes, decisions and updates, as a PNG; runs with a label are left out."""
    plain = [c for c in curves if not c.label]
    runs = {c.name: [(o.points, o.training) for o in plain if o.agent == c.agent] for c in plain}
    return as_png(draw_runs(runs, peer))


def draw_runs(
    runs: dict[str, list[tuple[Points, Points]]],
    peer: Points | None = None,
    colours: Mapping[str, str] | None = None,
) -> Figure:
    """Plot scores against minutes, decisions and updates.

    Thin lines are the training episodes of a seed, thick lines their mean over the seeds with a bootstrap band; dots
    are greedy drives on validation tracks.

    Args:
        runs: For every agent or group, by title, the validations and the training episodes of its runs, float64 [n, 4]
            each; the latter may be empty.
        peer: Validations of the peer.
        colours: Colours by title; by default, those of the agents.
    """
    colours = colours or dict(zip(runs, colours_of(map(str.lower, runs)), strict=True))
    figure = Figure(figsize=(11, 3.6), layout="constrained")
    axes = figure.subplots(1, 3, sharey=True)
    for column, (axis, quantity) in enumerate(zip(axes, AXES, strict=True)):
        unit = 1 if column == 0 else 1000
        for title, pairs in runs.items():
            lines = [(t[:, column] / unit, t[:, 3]) for _, t in pairs if len(t)]
            _draw(axis, lines, f"{title}, {_seeds(len(pairs))}", colours[title])
            for points, _ in pairs:
                axis.plot(points[:, column] / unit, points[:, 3], ".", color=colours[title])
        axis.axhline(900, color="black", lw=0.8, ls=":")
        axis.set_xlabel(quantity)
        axis.grid(alpha=0.3)
        axis.spines[["top", "right"]].set_visible(False)
    if peer is not None:
        axes[0].plot(peer[:, 0], peer[:, 3], ".-", color=DRIVERS["sb3"], lw=1.5, label=PEER)
    if axes[0].get_legend_handles_labels()[0]:  # none if all runs have a label
        axes[0].legend(frameon=False)
    axes[0].set_ylabel("score")
    return figure


def _draw(
    axis: Axes,
    runs: list[tuple[NDArray[np.float64], NDArray[np.float64]]],
    label: str,
    colour: str,
) -> None:
    axis.plot([], [], color=colour, lw=2, label=label)
    width, alpha = (0.7, 0.45) if len(runs) > 1 else (1.5, 1.0)
    for x, score in runs:
        axis.plot(x, score, color=colour, lw=width, alpha=alpha)
    if len(runs) > 1 and max(x[0] for x, _ in runs) < min(x[-1] for x, _ in runs):
        b = band(runs)
        axis.fill_between(b.x, b.low, b.high, color=colour, alpha=0.2, lw=0)
        axis.plot(b.x, b.mean, color=colour, lw=2)
