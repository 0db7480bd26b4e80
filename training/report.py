"""The results table and its plot, from the CSVs in results/ alone."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # no display is needed

import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import NDArray

from racing.tracks import TEST
from training.episode import Episode, read_episodes
from training.evaluation import Summary, summarise
from training.files import write_whole

EPISODES = 50  # a row of the table is measured on the first so many test tracks


@dataclass(frozen=True)
class Published:
    """Figures of the project that this one descends from (CarRacing-v0, 50 runs each)."""

    mean: float
    max: float | None = None
    min: float | None = None
    std: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Row:
    """A line of the table: whose CSV, what it is called, and the ancestor's figures for the same."""

    stem: str
    title: str
    published: Published | None


ROWS = (
    Row("random", "Random, the agents' actions", Published(-24.28)),
    Row("random-continuous", "Random, continuous controls", None),
    Row("pid", "PID controller", Published(680.98, 805.45, 446.62, 90.22)),
    Row("human", "Human", Published(770.75, 824.09, 683.29, 45.28)),
    Row("dqn", "DQN", Published(385.06, 841.28, 43.28, 251.37)),
    Row(
        "ddqn",
        "Prioritised Double DQN",
        Published(
            899.49, 919.69, 817.27, 231.93, "impossible within its bounds; 23.19 from its episodes"
        ),
    ),
)


def read_scores(folder: Path) -> dict[str, list[Episode]]:
    """Every driver's episodes that there are, by the stem of the row.

    Raises:
        ValueError: If a file is not what `evaluate.py --csv` writes, or there is none.
    """
    files = {row.stem: folder / f"{row.stem}.csv" for row in ROWS}
    scores = {stem: read_episodes(path) for stem, path in files.items() if path.exists()}
    if not scores:
        raise ValueError(f"{folder} has no scores: measure with evaluate.py --all")
    return scores


def scores_table(scores: dict[str, list[Episode]]) -> str:
    """The table in Markdown."""
    head = (
        "driver",
        "mean",
        "95 % interval",
        "max",
        "min",
        "std",
        "laps",
        "frames",
        "ancestor's mean",
    )
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    notes = []
    for row in ROWS:
        driven = sum(e.track in TEST[:EPISODES] for e in scores.get(row.stem, []))
        if driven == EPISODES:
            cells = _measured(summarise(scores[row.stem]))
        elif row.published is not None:
            cells = _not_measured(row.published)
            notes.append(
                f"{row.title}: {driven} of {EPISODES} tracks driven here yet;"
                " the figures in brackets are the ancestor's."
            )
        else:
            continue
        cells.append(f"{row.published.mean:.1f}" if row.published else "–")
        if row.published and row.published.note:
            cells[-1] += "\\*"
            notes.append(f"\\* Its printed std, {row.published.std}, is {row.published.note}.")
        lines.append("| " + " | ".join([row.title, *cells]) + " |")
    return "\n".join([*lines, "", *notes])


def _measured(s: Summary) -> list[str]:
    return [
        f"**{s.mean:.1f}**",
        f"{s.low:.1f} – {s.high:.1f}",
        *(f"{x:.1f}" for x in (s.max, s.min, s.std)),
        f"{s.laps}/{s.episodes}",
        f"{s.frames:.0f}",
    ]


def _not_measured(p: Published) -> list[str]:
    figures = ["–" if x is None else f"({x:.1f})" for x in (p.max, p.min, p.std)]
    return [f"({p.mean:.1f})", "–", *figures, "–", "–"]


def write_block(readme: Path, name: str, text: str) -> None:
    """Put text between the markers of that name.

    Raises:
        ValueError: If the markers are not there.
    """
    write_whole(readme, with_block(readme.read_text(), name, text).encode())


def with_block(page: str, name: str, text: str) -> str:
    """A page with text between the markers of that name.

    Raises:
        ValueError: If the markers are not there.
    """
    begin, end = f"<!-- {name} table: begin -->", f"<!-- {name} table: end -->"
    before, found_begin, rest = page.partition(begin)
    _, found_end, after = rest.partition(end)
    if not found_begin or not found_end:
        raise ValueError(f"README.md has no {begin} ... {end}")
    return f"{before}{begin}\n{text}\n{end}{after}"


@dataclass(frozen=True)
class Curve:
    """A finished run.

    Attributes:
        agent: Which script made it.
        seed: Its seed.
        points: Greedy validation on the way: minutes, decisions, updates, mean score, [n, 4].
        test: Its best weights on the test tracks.
    """

    agent: str
    seed: int
    points: NDArray[np.float64]
    test: list[Episode]

    def minutes_to(self, score: float) -> float | None:
        """Minutes of training until validation first reached a score."""
        reached = np.flatnonzero(self.points[:, 3] >= score)
        return float(self.points[reached[0], 0]) if len(reached) else None


def read_runs(folder: Path) -> list[Curve]:
    """What `runs.py record` kept, sorted by agent and seed.

    Raises:
        ValueError: If a file is not what a run writes.
    """
    curves = []
    for run in sorted(folder.glob("*/config.json")):
        agent, seed = run.parent.name.rsplit("-seed", 1)
        with (run.parent / "validation.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        points = [
            (float(r["seconds"]) / 60, float(r["decisions"]), float(r["updates"]), float(r["mean"]))
            for r in rows
        ]
        test = read_episodes(run.parent / "test.csv")
        curves.append(Curve(agent, int(seed), np.array(points), test))
    return curves


def learning_table(curves: list[Curve]) -> str:
    """Minutes to a greedy validation mean, and the test score in the end, in Markdown."""
    marks = (600, 850, 900)
    head = ("agent", "seed", *(f"min to {m}" for m in marks), "minutes", "decisions", "updates")
    head += ("test mean", "95 % interval", "laps")
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for c in curves:
        s, (minutes, decisions, updates, _) = summarise(c.test), c.points[-1]
        reached = [c.minutes_to(m) for m in marks]
        cells = [
            c.agent.upper(),
            str(c.seed),
            *("–" if t is None else f"{t:.1f}" for t in reached),
            f"{minutes:.1f}",
            f"{decisions:,.0f}",
            f"{updates:,.0f}",
            f"**{s.mean:.1f}**",
            f"{s.low:.1f} – {s.high:.1f}",
            f"{s.laps}/{s.episodes}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def plot_learning(curves: list[Curve], path: Path) -> None:
    """Greedy validation score against minutes, decisions and updates; thin lines are seeds."""
    titles = ("minutes of training", "decisions / 1000", "updates / 1000")
    figure, axes = plt.subplots(1, 3, figsize=(11, 3.4), sharey=True, layout="constrained")
    colours = {"dqn": "#33659c", "ddqn": "#1b7f5c"}
    for column, (axis, title) in enumerate(zip(axes, titles, strict=True)):
        for c in curves:
            x = c.points[:, column] / (1 if column == 0 else 1000)
            axis.plot(x, c.points[:, 3], color=colours[c.agent], lw=1, alpha=0.7)
        axis.axhline(900, color="black", lw=0.8, ls=":")
        axis.set_xlabel(title)
        axis.grid(alpha=0.3)
        axis.spines[["top", "right"]].set_visible(False)
    for agent in sorted({c.agent for c in curves}):
        seeds = sum(c.agent == agent for c in curves)
        axes[0].plot(
            [],
            [],
            color=colours[agent],
            label=f"{agent.upper()}, {seeds} seed{'s' if seeds > 1 else ''}",
        )
    axes[0].legend(frameon=False)
    axes[0].set_ylabel("greedy score, validation tracks")
    figure.savefig(path, dpi=130)
    plt.close(figure)
