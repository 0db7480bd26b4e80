"""What a search is to do, and its folder: one command line, one folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from experiments.space import Dimension, draw, grid
from system.files import check_folder, sha256, write_whole
from training.runs.run_folder import as_json

PLAN, JOURNAL = "sweep.json", "study.log"
Method = Literal["grid", "random", "tpe"]


@dataclass(frozen=True)
class Plan:
    """A search.

    Attributes:
        space: What the trials differ in.
        method: How they are chosen.
        trials: How many, where they are drawn or proposed.
        lengths: At which the worse half ends, the last one for the others; decisions of a run, or cases of a function.
        batch: Trials that are proposed together.
        seed: Of what is drawn or proposed.
        description: The options of the command line that the results depend on.
        start: Values of the first trials, where others are proposed after them.
    """

    space: dict[str, Dimension]
    method: Method
    trials: int
    lengths: list[int]
    batch: int
    seed: int
    description: dict[str, Any]
    start: tuple[dict[str, Any], ...] = ()

    def values(self) -> list[dict[str, Any]]:
        """Of all trials, where they do not depend on each other's scores."""
        if self.method == "grid":
            return grid(self.space)
        return [draw(self.space, self.seed, number) for number in range(self.trials)]

    def summary(self) -> str:
        """In a line."""
        trials = len(grid(self.space)) if self.method == "grid" else self.trials
        return (
            f"{self.method}, trials: {trials}, lengths: {', '.join(f'{n:,}' for n in self.lengths)}"
        )

    def default_folder(self, name: str) -> Path:
        """One of its own for every command line."""
        return Path("runs") / "sweeps" / f"{name}-{sha256(as_json(self.description))[:8]}"


def rung_lengths(whole: int, rungs: int) -> list[int]:
    """The length of every rung, each twice the one before.

    Raises:
        ValueError: If the first would be empty.
    """
    if not whole >> rungs - 1:
        raise ValueError(f"{rungs} rungs are too many for a length of {whole}")
    return [whole >> back for back in range(rungs - 1, -1, -1)]


def check_plan(folder: Path, description: dict[str, Any]) -> None:
    """Refuse a folder that belongs to another command line, or cannot be written.

    Raises:
        ValueError: Naming the options that differ.
    """
    if not str(folder).isprintable():
        raise ValueError(f"a path that some tools here cannot handle: {str(folder)!r}")
    if (folder / PLAN).exists():
        then = read_plan(folder)
        now = json.loads(as_json(description))
        if then != now:
            names = [k for k in sorted(then | now) if then.get(k) != now.get(k)]
            changes = "; ".join(f"{k} was {then.get(k)!r}, now {now.get(k)!r}" for k in names)
            raise ValueError(f"{folder} is another sweep: {changes}; choose another --folder")
        return
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"{folder} exists and is not a sweep: choose another --folder")
    check_folder(folder)


def read_plan(folder: Path) -> dict[str, Any]:
    """The command line of a search.

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


def write_plan(folder: Path, description: dict[str, Any]) -> None:
    """Make the folder.

    Raises:
        OSError: If the disk does not take it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / PLAN).exists():
        write_whole(folder / PLAN, as_json(description))
