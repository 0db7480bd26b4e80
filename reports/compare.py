"""Compares runs: `compare(Runs().matching("*"))` shows different settings, scores, and which differences are noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from rich.table import Table
from rich.text import Text

from reports.colours import DRIVERS, colours_of
from reports.compare_groups import (
    Group,
    origins_that_differ,
    read_groups,
    settings_that_differ,
)
from reports.compare_scores import Pair, Score, interval, pair_of, score_of
from reports.learning_report import draw_runs
from reports.markdown import table
from reports.own_files import check_own_file
from reports.png import as_png
from reports.screen import console
from system.files import write_whole
from training.runs.run_folder import RunFolder

MARK = "runs.py compare"
Rows = list[list[str]]


@dataclass(frozen=True)
class Comparison:
    """The result of `compare`.

    Attributes:
        groups: The groups of runs, in the order in which they were given.
        settings: The settings that differ, by name, with a value per group.
        origins: The entries of origin.json that differ, by name, with a value per group.
        tested: Whether scores are from the test tracks; otherwise they are the best validation means.
        scores: Scores of each group.
        pairs: Comparisons of every two groups.
        notes: Remarks for the reader.
    """

    groups: list[Group]
    settings: dict[str, list[str]]
    origins: dict[str, list[str]]
    tested: bool
    scores: list[Score]
    pairs: list[Pair]
    notes: list[str]

    def tables(self) -> list[tuple[str, list[str], Rows]]:
        """Return title, header and rows of every table that has rows."""
        titles = [group.title for group in self.groups]
        runs = [[g.title, ", ".join(c.name for c in g.runs)] for g in self.groups]
        found = [
            ("Runs", ["group", "runs"], runs),
            ("Settings that differ", ["setting", *titles], _rows(self.settings)),
            ("Origins that differ", ["", *titles], _rows(self.origins)),
            ("Test tracks" if self.tested else "Best validation", SCORE_HEAD, self._score_rows()),
            ("Differences", ["groups", "tracks", "p", "in words"], self._pair_rows()),
        ]
        return [(title, head, rows) for title, head, rows in found if rows]

    def _score_rows(self) -> Rows:
        return [
            [
                s.group,
                str(s.runs) + (f" ({s.seeds} seeds)" if s.seeds != s.runs else ""),
                f"{s.mean:.1f}",
                interval(s.low, s.high),
                f"{s.worst:.1f} (seed {s.worst_seed})",
                "–" if s.laps is None else f"{s.laps}/{s.episodes}",
            ]
            for s in self.scores
        ]

    def _pair_rows(self) -> Rows:
        return [[f"{p.one}, {p.other}", str(p.tracks or "–"), _p(p), p.verdict] for p in self.pairs]

    def markdown(self) -> str:
        """Return all tables and notes in Markdown."""
        parts = [f"### {title}\n\n{table(head, rows)}" for title, head, rows in self.tables()]
        return "\n\n".join([*parts, *self.notes])

    def show(self) -> None:
        """Print all tables and notes."""
        screen = console()
        for title, head, rows in self.tables():
            shown = Table(title=title, title_justify="left", box=None, header_style="bold")
            for name in head:
                shown.add_column(name, overflow="fold")
            for row in rows:
                shown.add_row(*map(Text, row))
            screen.print(shown)
            screen.print()
        for note in self.notes:
            screen.print(note, markup=False)

    def figure(self) -> Figure:
        """Draw the learning curves of all groups in one figure, each with its bootstrap band over the seeds.

        Raises:
            ValueError: If there are more groups than colours.
        """
        if len(self.groups) > len(DRIVERS):
            raise ValueError(f"a picture has at most {len(DRIVERS)} groups, got {len(self.groups)}")
        pairs = {g.title: [(c.points, c.training) for c in g.runs] for g in self.groups}
        agents = [g.runs[0].agent.lower() for g in self.groups]
        return draw_runs(pairs, colours=dict(zip(pairs, colours_of(agents), strict=True)))


SCORE_HEAD = ["group", "runs", "mean", "95 % interval", "worst run", "laps"]


def compare(runs: Sequence[RunFolder]) -> Comparison:
    """Compare runs; runs that differ only in their seeds form a group.

    Args:
        runs: Two or more runs, of any script.

    Raises:
        ValueError: If there are not two different runs, or a file is missing, damaged or of another version.
    """
    groups = read_groups(runs)
    everything = [c for group in groups for c in group.runs]
    untested = [c.name for c in everything if not c.test]
    tested, notes = not untested, list[str]()
    if untested:
        notes.append(f"Compared by the best validation: no test.csv in {', '.join(untested)}.")
    else:
        notes += [
            f"{c.name}: test.csv is of weights from before it went on."
            for c in everything
            if c.went_on
        ]
    if any(len(g.runs) == 1 for g in groups):
        notes.append("Intervals of one run are over its episodes: they say nothing of other seeds.")
    return Comparison(
        groups=groups,
        settings=settings_that_differ(groups),
        origins=origins_that_differ(groups),
        tested=tested,
        scores=[score_of(group, tested) for group in groups],
        pairs=[pair_of(one, other, tested) for one, other in combinations(groups, 2)],
        notes=notes,
    )


def write_figure(comparison: Comparison, path: Path) -> None:
    """Write the learning curves as a PNG.

    Raises:
        ValueError: If the file cannot be written, or exists and is not from this command; nothing is written then.
        OSError: If writing fails.
    """
    check_own_file(path, MARK)
    write_whole(path, as_png(comparison.figure(), mark=MARK))


def _p(pair: Pair) -> str:
    if pair.difference is None or np.isnan(pair.difference.p):
        return "–"
    return f"{pair.difference.p:.2g} over {pair.difference.over}"


def _rows(named: dict[str, list[str]]) -> Rows:
    return [[name, *cells] for name, cells in named.items()]
