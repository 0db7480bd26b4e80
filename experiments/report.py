"""What came of a sweep: trials.csv, which is the record, and report.md, which is made of it."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evaluation.evaluation import bootstrap_interval
from experiments.plan import read_plan
from experiments.scripts import load_script, words
from experiments.search import COMPLETE, ENDED_EARLY, FAILED, RUNNING, Trial
from experiments.space import parse_space
from experiments.study import TrialResult, importances
from reports.markdown import table
from system.csv_files import as_csv
from system.files import write_whole
from system.hints import command
from training.settings import from_json

TRIALS, REPORT = "trials.csv", "report.md"
FIXED = ("trial", "state", "score", "low", "high", "scores", "steps", "reason")
STATES = (COMPLETE, ENDED_EARLY, RUNNING, FAILED)
ENOUGH = 10  # complete trials, for importances to mean anything


def best_first(trials: Sequence[Trial]) -> list[Trial]:
    """Complete trials by score, then those that ended early, the longest first, then the others."""
    return sorted(
        trials,
        key=lambda t: (STATES.index(t.state), -max(t.steps, default=0), -t.score, t.number),
    )


def write_trials(folder: Path, trials: Sequence[Trial], varied: Sequence[str]) -> None:
    """Write trials.csv, a row per trial in their order.

    Raises:
        OSError: If the disk does not take it.
    """
    rows = []
    for t in trials:
        low, high = bootstrap_interval(t.scores) if len(t.scores) > 1 else (t.score, t.score)
        figures = [_figure(x) for x in (t.score, low, high)] if t.steps else ["", "", ""]
        steps = " ".join(f"{length}:{_figure(x)}" for length, x in t.steps.items())
        scores = " ".join(map(_figure, t.scores))
        values = [json.dumps(t.values[name]) for name in varied]
        rows.append([t.number, t.state, *figures, scores, steps, t.reason, *values])
    write_whole(folder / TRIALS, as_csv([*FIXED, *varied], rows))


def _figure(x: float) -> str:
    return f"{x:.3f}"


def read_trials(folder: Path) -> tuple[list[Trial], list[str]]:
    """The trials of a sweep, and the settings that they vary.

    Raises:
        ValueError: If there is none, or trials.csv is not one that a sweep writes.
    """
    path = folder / TRIALS
    try:
        with path.open(newline="") as file:
            reader = csv.DictReader(file)
            rows = list(reader)
            varied = list(reader.fieldnames or ())[len(FIXED) :]
        trials = [_trial(row, varied) for row in rows]
    except OSError as e:
        raise ValueError(f"{path}: {e.strerror}") from None
    except (KeyError, ValueError, TypeError, AttributeError, csv.Error):
        raise ValueError(f"{path}: not a file that a sweep writes") from None
    return trials, varied


def _trial(row: dict[str, str], varied: Sequence[str]) -> Trial:
    if row["state"] not in STATES:
        raise ValueError(row["state"])
    steps = (step.split(":") for step in row["steps"].split())
    return Trial(
        number=int(row["trial"]),
        values={name: json.loads(row[name]) for name in varied},
        state=row["state"],
        steps={int(length): float(score) for length, score in steps},
        scores=[float(x) for x in row["scores"].split()],
        reason=row["reason"],
    )


def make_report(folder: Path) -> str:
    """The report of a sweep from its files: trials best first, what matters, and how to train with the best settings.

    Raises:
        ValueError: If it is no sweep.
    """
    plan = read_plan(folder)
    trials, varied = read_trials(folder)
    ranked = best_first(trials)
    metric = "best validation mean" if plan["metric"] == "validation" else "mean on test tracks"
    seeds = len(plan["seeds"])
    parts = [
        f"# Sweep of {plan['script']}",
        f"{_plural(len(trials), 'trial')} of {_plural(seeds, 'seed')} each, {plan['method']};"
        f" the score is the {metric}" + (", the mean over the seeds." if seeds > 1 else "."),
        table(_head(varied, seeds), [_row(t, varied, seeds) for t in ranked]),
        *_importances(plan, trials),
        *_best(plan, ranked[:1]),
    ]
    return "\n\n".join(parts) + "\n"


def _plural(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _head(varied: Sequence[str], seeds: int) -> list[str]:
    return [
        "trial",
        "score",
        *(["of the seeds"] if seeds > 1 else []),
        "decisions",
        *varied,
        "state",
    ]


def _row(t: Trial, varied: Sequence[str], seeds: int) -> list[str]:
    score = f"{t.score:.1f}" if t.steps else "–"
    low_high = f"{min(t.scores):.1f} – {max(t.scores):.1f}" if t.scores else "–"
    state = t.state if not t.reason else f"{t.state}: {t.reason}".replace("|", "\\|")
    return [
        str(t.number),
        f"**{score}**" if t.state == COMPLETE else score,
        *([low_high] if seeds > 1 else []),
        f"{max(t.steps):,}" if t.steps else "–",
        *(json.dumps(t.values[name]) for name in varied),
        state,
    ]


def _importances(plan: dict[str, Any], trials: Sequence[Trial]) -> list[str]:
    """What the best trials have in common; nothing where there is too little to tell."""
    complete = [t for t in trials if t.state == COMPLETE and math.isfinite(t.score)]
    if len(complete) < ENOUGH or len({t.score for t in complete}) < 2:
        return [f"Importances need {ENOUGH} complete trials."] if len(complete) < ENOUGH else []
    script = load_script(Path(plan["script"]))
    _, space = parse_space(plan["set"], plan["space"], script.presets[plan["preset"]])
    try:
        found = importances([TrialResult(t.values, t.steps, True) for t in complete], space)
    except ValueError as e:
        return [f"Importances: {e}."]
    rows = [[name, f"{share:.0%}"] for name, share in found.items()]
    note = "Importance of each setting for being among the best trials (PED-ANOVA, Watanabe et al. 2023):"
    return [note, table(["setting", "importance"], rows)]


def _best(plan: dict[str, Any], best: Sequence[Trial]) -> list[str]:
    """The command line that trains with the settings of the best trial."""
    if not best or not best[0].steps:
        return []
    script = load_script(Path(plan["script"]))
    preset = script.presets[plan["preset"]]
    base, _ = parse_space(plan["set"], plan["space"], preset)
    line = command(plan["script"], *words(from_json(base, best[0].values), preset))
    return [f"The best trial, {best[0].number}, again:", f"```\n{line}\n```"]
