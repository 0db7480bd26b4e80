"""The report of a search, report.md, which is made from trials.csv."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from experiments.plan import PLAN, read_plan
from experiments.scripts import load_script, words
from experiments.space import Dimension
from experiments.study import importances
from experiments.training_runs import TrialSettings
from experiments.trials import COMPLETE, Trial, best_first, read_trials
from reports.markdown import table
from system.hints import command

REPORT = "report.md"
ENOUGH = 10  # complete trials that meaningful importances need


def make_report(folder: Path) -> str:
    """Make the report of a sweep from its files: ranked trials, importances, and a command with the best settings.

    Returns:
        The report, in Markdown.

    Raises:
        ValueError: If it is not the folder of a sweep.
    """
    plan = read_plan(folder)
    if "script" not in plan:
        raise ValueError(f"{folder / PLAN}: not a sweep over a script")
    presets = load_script(Path(plan["script"])).presets
    settings = TrialSettings.parse(presets, plan["preset"], plan["set"], plan["space"])
    trials = read_trials(folder, settings.space)
    metric = "best validation mean" if plan["metric"] == "validation" else "mean on test tracks"
    seeds = len(plan["seeds"])
    parts = [
        f"# Sweep of {plan['script']}",
        f"{_plural(len(trials), 'trial')} of {_plural(seeds, 'seed')} each, {plan['method']};"
        f" the score is the {metric}" + (", the mean over the seeds." if seeds > 1 else "."),
        *ranking(trials, settings.space, "decisions", "seeds" if seeds > 1 else ""),
    ]
    best = best_first(trials)[:1]
    if best and best[0].steps:
        wanted = settings.of(best[0].values)
        line = command(plan["script"], *words(wanted, presets[wanted.preset]))
        parts += [f"The best trial, {best[0].number}, again:", f"```\n{line}\n```"]
    return "\n\n".join(parts) + "\n"


def _plural(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def ranking(
    trials: Sequence[Trial], space: dict[str, Dimension], unit: str, averaged: str
) -> list[str]:
    """Make a table of the trials, best first, and one of the settings' importances, in Markdown.

    Args:
        trials: The trials, in any order.
        space: The settings that vary.
        unit: Unit of the trials' length, in the plural.
        averaged: What a score is averaged over, in the plural; empty if it is not a mean.
    """
    of_each = [f"of the {averaged}"] if averaged else []
    head = ["trial", "score", *of_each, unit, *space, "state"]
    rows = [_row(t, space, bool(averaged)) for t in best_first(trials)]
    return [table(head, rows), *_importances(trials, space)]


def _row(t: Trial, varied: Iterable[str], is_mean: bool) -> list[str]:
    score = f"{t.score:.1f}" if t.steps else "–"
    low_high = f"{min(t.scores):.1f} – {max(t.scores):.1f}" if t.scores else "–"
    state = t.state if not t.reason else f"{t.state}: {t.reason}".replace("|", "\\|")
    return [
        str(t.number),
        f"**{score}**" if t.state == COMPLETE else score,
        *([low_high] if is_mean else []),
        f"{max(t.steps):,}" if t.steps else "–",
        *(json.dumps(t.values[name]) for name in varied),
        state,
    ]


def _importances(trials: Sequence[Trial], space: dict[str, Dimension]) -> list[str]:
    """Make the table of importances, or a line that says why there is none; empty if all scores are equal."""
    complete = [t for t in trials if t.state == COMPLETE and math.isfinite(t.score)]
    if len(complete) < ENOUGH or len({t.score for t in complete}) < 2:
        return [f"Importances need {ENOUGH} complete trials."] if len(complete) < ENOUGH else []
    try:
        found = importances(complete, space)
    except ValueError as e:
        return [f"Importances: {e}."]
    rows = [[name, f"{share:.0%}"] for name, share in found.items()]
    note = "Importance of each setting for being among the best trials (PED-ANOVA, Watanabe et al. 2023):"
    return [note, table(["setting", "importance"], rows)]
