"""The summary that a script prints when a run is finished: its score, its files, and what to do next."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from evaluation.evaluation import summarise
from reports.curves import read_curve
from reports.learning_report import draw_runs
from reports.png import as_png
from system.files import write_whole
from system.hints import command
from training.runs.run_folder import BEST, TESTS, RunFolder

if TYPE_CHECKING:
    from training.session import Outcome

MODELS = Path(__file__).resolve().parents[1] / "models"
PICTURE = "learning.png"


def show_closing(outcome: Outcome, agent: str) -> None:
    """Draw the run's learning curve into its folder, and print the summary.

    Args:
        outcome: The result of `training.session.train`.
        agent: Name of the script.
    """
    picture = _draw(outcome.run, agent)
    lines = [*_scores(outcome, agent), *_files(outcome.run, picture, bool(outcome.test))]
    console = Console()
    console.print(
        Panel(Text("\n".join(lines), overflow="fold"), title=f"{agent} is done", expand=False)
    )
    for line in _next(outcome):
        console.print(line, markup=False, highlight=False, soft_wrap=True)  # to be copied whole


def _scores(outcome: Outcome, agent: str) -> list[str]:
    lines = []
    if outcome.test:
        s = summarise(outcome.test)
        lines.append(
            f"{s.mean:.1f} [{s.low:.1f}, {s.high:.1f}] on {s.episodes} tracks it never saw,"
            f" {s.laps} laps, worst {s.min:.1f}"
        )
        lines += _published(agent)
    else:
        lines.append(f"best on validation tracks: {outcome.best_validation:.1f}")
    lines.append(f"{outcome.decisions:,} decisions, {outcome.minutes:.1f} minutes of training")
    return lines


def _published(agent: str) -> list[str]:
    """Return the line about the published weights in models/, if there are any."""
    try:
        test = json.loads((MODELS / f"{agent.lower()}.json").read_text())["test"]
        return [
            f"published: {test['mean']:.1f} [{test['low']:.1f}, {test['high']:.1f}]"
            f" on {test['episodes']} such tracks, {test['laps']} laps"
        ]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _files(run: Path, picture: Path | None, tested: bool) -> list[str]:
    lines = [f"weights   {run / BEST}"]
    if picture:
        lines.append(f"curve     {picture}")
    if tested:
        lines.append(f"episodes  {run / TESTS}")
    return lines


def _next(outcome: Outcome) -> list[str]:
    best = outcome.run / BEST
    return [
        "film it:        " + command("evaluate.py", best, "--film", "films"),
        "score it again: " + command("evaluate.py", best, "--tracks", "1000:1100"),
        f"watch its curves: ./boot.sh tensorboard {shlex.quote(str(outcome.run.parents[1]))}",
    ]


def _draw(run: Path, agent: str) -> Path | None:
    """Draw the run's learning curve into its folder; None if that fails, which is not an error."""
    try:
        figure = draw_runs({agent: [read_curve(RunFolder(run))]})
        write_whole(run / PICTURE, as_png(figure))
    except Exception:  # whatever files, fonts or settings Matplotlib meets
        return None
    return run / PICTURE
