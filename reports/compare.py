"""Runs beside each other: `compare(Runs().matching("*"))` says what differs, how they drive, and what is noise."""

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
    """What `compare` found.

    Attributes:
        groups: Of runs, in the order in which they were named.
        settings: Those that differ: a value per group.
        origins: Facts of origin that differ: a value per group.
        tested: Whether scores are of test drives; otherwise of the best validations.
        scores: How each group drives.
        pairs: Every two groups.
        notes: What a reader should know.
    """

    groups: list[Group]
    settings: dict[str, list[str]]
    origins: dict[str, list[str]]
    tested: bool
    scores: list[Score]
    pairs: list[Pair]
    notes: list[str]

    def tables(self) -> list[tuple[str, list[str], Rows]]:
        """Titles, heads and rows; tables without rows are left out."""
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
        """All of it as tables in Markdown."""
        parts = [f"### {title}\n\n{table(head, rows)}" for title, head, rows in self.tables()]
        return "\n\n".join([*parts, *self.notes])

    def show(self) -> None:
        """Print it: tables for people."""
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
        """Learning curves of all groups over each other, with a band over the seeds of each.

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
    """Compare runs, in groups that differ in nothing but the seed.

    Args:
        runs: Two or more; of any script.

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
    """Write its curves as a PNG.

    Raises:
        ValueError: If it cannot be written, or something else is there; nothing was written then.
        OSError: If the disk does not take it.
    """
    check_own_file(path, MARK)
    write_whole(path, as_png(comparison.figure(), mark=MARK))


def _p(pair: Pair) -> str:
    if pair.difference is None or np.isnan(pair.difference.p):
        return "–"
    return f"{pair.difference.p:.2g} over {pair.difference.over}"


def _rows(named: dict[str, list[str]]) -> Rows:
    return [[name, *cells] for name, cells in named.items()]
