"""The results table and its plot, from the CSVs in results/ alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # no display is needed

import matplotlib.pyplot as plt
import numpy as np

from training.episode import Episode, read_episodes
from training.evaluation import Summary, summarise
from training.files import write_whole


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
    Row("ancestor-dqn", "The ancestor's DQN, trained here", None),
    Row("ancestor-ddqn1", "The ancestor's DDQN1, trained here", None),
    Row("ancestor-ddqn2", "The ancestor's DDQN2, trained here", None),
)


def read_scores(folder: Path) -> dict[str, list[Episode]]:
    """Every driver's episodes that there are, by the stem of the row.

    Raises:
        ValueError: If a file is not what `evaluate.py --csv` writes.
    """
    files = {row.stem: folder / f"{row.stem}.csv" for row in ROWS}
    return {stem: read_episodes(path) for stem, path in files.items() if path.exists()}


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
        if row.stem in scores:
            cells = _measured(summarise(scores[row.stem]))
        elif row.published is not None:
            cells = _not_measured(row.published)
        else:
            continue
        cells.append(f"{row.published.mean:.1f}" if row.published else "–")
        if row.published and row.published.note:
            cells[-1] += "\\*"
            notes.append(f"\\* Its printed std, {row.published.std}, is {row.published.note}.")
        lines.append("| " + " | ".join([row.title, *cells]) + " |")
    if "human" not in scores:
        notes.append("Human: nobody has driven here yet; these are the ancestor's figures.")
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
    return ["–", "–", *figures, "–", "–"]


def write_block(page: Path, name: str, text: str) -> None:
    """Put text between the markers of that name.

    Raises:
        ValueError: If the markers are not there.
    """
    write_whole(page, with_block(page.read_text(), name, text).encode())


def with_block(page: str, name: str, text: str) -> str:
    """A page with text between the markers of that name.

    Raises:
        ValueError: If the markers are not there.
    """
    begin, end = f"<!-- {name} table: begin -->", f"<!-- {name} table: end -->"
    before, found_begin, rest = page.partition(begin)
    _, found_end, after = rest.partition(end)
    if not found_begin or not found_end:
        raise ValueError(f"the page has no {begin} ... {end}")
    return f"{before}{begin}\n{text}\n{end}{after}"


def plot_scores(scores: dict[str, list[Episode]], path: Path) -> None:
    """Every episode a dot, every driver a row."""
    rows = [row for row in ROWS if row.stem in scores]
    figure, axes = plt.subplots(figsize=(8, 0.7 * len(rows) + 1.2), layout="constrained")
    rng = np.random.default_rng(0)
    for y, row in enumerate(reversed(rows)):
        values = np.array([e.score for e in scores[row.stem]])
        laps = np.array([bool(e.laps) for e in scores[row.stem]])
        height = y + rng.uniform(-0.22, 0.22, len(values))
        axes.scatter(values[laps], height[laps], s=12, color="#1b7f5c", alpha=0.8, lw=0)
        axes.scatter(values[~laps], height[~laps], s=12, color="#c2502d", alpha=0.8, lw=0)
        axes.plot([values.mean()] * 2, [y - 0.35, y + 0.35], color="black", lw=2)
    axes.scatter([], [], s=12, color="#1b7f5c", label="lap completed")
    axes.scatter([], [], s=12, color="#c2502d", label="no lap")
    axes.plot([], [], color="black", lw=2, label="mean")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False)
    axes.set_yticks(range(len(rows)), [row.title for row in reversed(rows)])
    axes.set_xlabel("score on an unseen track (official camera, 1000 frames at most)")
    axes.grid(axis="x", alpha=0.3)
    axes.spines[["top", "right", "left"]].set_visible(False)
    figure.savefig(path, dpi=130)
    plt.close(figure)
