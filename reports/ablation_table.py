"""The table of the ablations, from their CSV alone."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np

from reports.markdown import table

DEFAULT = "default"
COLUMNS = (
    *("run", "seed", "minutes", "decisions", "updates", "mean", "std", "min", "laps", "episodes"),
    *("curve", "settings"),
)
HEAD = (
    *("run", "seeds", "mean", "of the seeds", "less than the default", "of the seeds", "laps"),
    *("on the way", "minutes"),
)
Row = dict[str, str]


def read_rows(path: Path) -> list[Row]:
    """What `benchmarks.learning.ablations` wrote.

    Raises:
        ValueError: If it is not.
        OSError: If it cannot be read.
    """
    with path.open(newline="") as file:
        reader = csv.DictReader(file)
        rows = list(reader)
    if tuple(reader.fieldnames or ()) != COLUMNS:
        raise ValueError(f"{path}: the columns must be {','.join(COLUMNS)}")
    for line, row in enumerate(rows, start=2):
        try:
            _score(row), _on_the_way(row), float(row["minutes"]), int(row["seed"])
        except (TypeError, ValueError):
            raise ValueError(f"{path}:{line}: not a row of benchmarks.learning.ablations") from None
    return rows


def ablation_table(rows: list[Row]) -> str:
    """Means over the seeds, best first after the default, in Markdown.

    A difference is taken seed by seed, over the seeds that the default has too. "Of the seeds" is the lowest and
    the highest of them, and "on the way" the mean of all validations of a run.
    """
    names = list(dict.fromkeys(row["run"] for row in rows))
    runs = {name: {int(r["seed"]): r for r in rows if r["run"] == name} for name in names}
    default = runs.get(DEFAULT, {})
    names.sort(key=lambda name: (name != DEFAULT, -_mean(runs[name], _score)))
    lines = []
    for name in names:
        run = runs[name]
        scores = [_score(r) for r in run.values()]
        lost = [_score(default[s]) - _score(r) for s, r in run.items() if s in default]
        laps = sum(int(r["laps"]) for r in run.values())
        cells = [
            name,
            str(len(run)),
            f"**{np.mean(scores):.1f}**",
            _range(scores),
            *(
                ("–", "–")
                if name == DEFAULT or not lost
                else (f"{np.mean(lost):.1f}", _range(lost))
            ),
            f"{100 * laps / sum(int(r['episodes']) for r in run.values()):.0f} %",
            f"{_mean(run, _on_the_way):.0f}",
            f"{_mean(run, lambda r: float(r['minutes'])):.1f}",
        ]
        lines.append(cells)
    return table(HEAD, lines)


def _score(row: Row) -> float:
    return float(row["mean"])


def _on_the_way(row: Row) -> float:
    return float(np.mean([float(point.split(":")[1]) for point in row["curve"].split()]))


def _mean(run: dict[int, Row], value: Callable[[Row], float]) -> float:
    return float(np.mean([value(row) for row in run.values()]))


def _range(values: list[float]) -> str:
    return f"{min(values):.1f} – {max(values):.1f}" if len(values) > 1 else "–"
