"""Makes the table of the ablations of an earlier default, from results/ablations.csv.

python -m reports.ablation_table        results/ablations.csv -> docs/lab_notes.md
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from reports.markdown import table
from reports.report import interval_over_seeds, write_block
from system.csv_files import read_csv

ROOT = Path(__file__).parents[1]
ROWS, PAGE = ROOT / "results" / "ablations.csv", ROOT / "docs" / "lab_notes.md"
DEFAULT = "default"
HEAD = (
    *("run", "seeds", "mean", "95 % interval", "worst", "less than the default", "95 % interval"),
    *("laps", "on the way", "minutes"),
)
Row = dict[str, str]


def ablation_table(rows: list[Row]) -> str:
    """Make a table of means over the seeds, in Markdown: the default, then the ablations, best first.

    Differences to the default are paired by seed. Intervals are bootstrap intervals over the seeds, "worst" is the
    score of the worst seed, and "on the way" is the mean of all validations of a run.

    Args:
        rows: One per run: its score on 100 validation tracks, and its validations during training.
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
            interval_over_seeds(scores),
            f"{min(scores):.1f}",
            *(
                ("–", "–")
                if name == DEFAULT or not lost
                else (f"{np.mean(lost):.1f}", interval_over_seeds(lost))
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


if __name__ == "__main__":
    write_block(PAGE, "ablations", ablation_table(read_csv(ROWS)))
