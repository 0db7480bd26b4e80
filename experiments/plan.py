"""What a sweep is to do, and its folder: one command line, one folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from experiments.runs import Metric
from experiments.scripts import Script
from experiments.space import Dimension, draw, grid
from system.files import check_folder, sha256, write_whole
from training.runs.run_folder import as_json
from training.settings import RunSettings, check, from_json

PLAN, JOURNAL = "sweep.json", "study.log"
Method = Literal["grid", "random", "tpe"]


@dataclass(frozen=True)
class Plan:
    """A sweep.

    Attributes:
        script: Makes the runs.
        settings: That all trials share.
        space: What they differ in.
        method: How the trials are chosen.
        trials: How many.
        seeds: Every trial makes a run with each.
        rungs: Lengths at which the worse half ends, each twice the one before; 1 for none.
        batch: Trials of the estimator that are chosen together.
        metric: What of a run is its score.
        seed: Of what is drawn.
        description: The options of the command line that the results depend on.
    """

    script: Script
    settings: RunSettings
    space: dict[str, Dimension]
    method: Method
    trials: int
    seeds: tuple[int, ...]
    rungs: int
    batch: int
    metric: Metric
    seed: int
    description: dict[str, Any]

    def check(self) -> None:
        """Refuse a sweep that cannot be run, before anything is written.

        Raises:
            ValueError: Naming the option or the setting.
        """
        if not self.space:
            raise ValueError("there is nothing to vary: give --set NAME=A,B or --space")
        if self.rungs > 1 and self.metric == "test":
            raise ValueError("--rungs chooses by validation scores: leave --metric test out")
        if self.metric == "test" and not self.settings.test_episodes:
            raise ValueError("--metric test needs --set test_episodes=1 or more")
        if self.lengths()[0] < 1:
            raise ValueError(
                f"{self.rungs} rungs are too many for {self.settings.decisions} decisions"
            )
        if self.method == "grid":
            for values in grid(self.space):
                check(self.of(values))

    def lengths(self) -> list[int]:
        """Decisions of every rung."""
        return [self.settings.decisions >> back for back in range(self.rungs - 1, -1, -1)]

    def of(self, values: dict[str, Any]) -> RunSettings:
        """The settings of a trial."""
        return from_json(self.settings, values)

    def values(self) -> list[dict[str, Any]]:
        """Of all trials, where they do not depend on each other's scores."""
        if self.method == "grid":
            return grid(self.space)
        return [draw(self.space, self.seed, number) for number in range(self.trials)]

    def summary(self) -> str:
        """In a line."""
        trials = len(grid(self.space)) if self.method == "grid" else self.trials
        lengths = ", ".join(f"{length:,}" for length in self.lengths())
        return f"{self.method}, trials: {trials}, seeds: {len(self.seeds)}, decisions: {lengths}"

    def default_folder(self) -> Path:
        """One of its own for every command line."""
        return (
            Path("runs") / "sweeps" / f"{self.script.agent}-{sha256(as_json(self.description))[:8]}"
        )


def check_plan(folder: Path, plan: Plan) -> None:
    """Refuse a folder that belongs to another command line, or cannot be written.

    Raises:
        ValueError: Naming the options that differ.
    """
    if not str(folder).isprintable():
        raise ValueError(f"a path that some tools here cannot handle: {str(folder)!r}")
    if (folder / PLAN).exists():
        then = read_plan(folder)
        now = json.loads(as_json(plan.description))
        if then != now:
            names = [k for k in sorted(then | now) if then.get(k) != now.get(k)]
            changes = "; ".join(f"{k} was {then.get(k)!r}, now {now.get(k)!r}" for k in names)
            raise ValueError(f"{folder} is another sweep: {changes}; choose another --folder")
        return
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"{folder} exists and is not a sweep: choose another --folder")
    check_folder(folder)


def read_plan(folder: Path) -> dict[str, Any]:
    """The command line of a sweep.

    Raises:
        ValueError: If it is none.
    """
    try:
        plan = json.loads((folder / PLAN).read_bytes())
        if isinstance(plan, dict):
            return plan
    except (OSError, ValueError, RecursionError) as e:
        raise ValueError(f"{folder / PLAN}: missing or damaged ({e})") from None
    raise ValueError(f"{folder / PLAN}: not a file that a sweep writes")


def write_plan(folder: Path, plan: Plan) -> None:
    """Make the folder.

    Raises:
        OSError: If the disk does not take it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / PLAN).exists():
        write_whole(folder / PLAN, as_json(plan.description))
