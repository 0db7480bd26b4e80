"""The plan of a search and its folder; each command line has its own folder."""

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
    """The plan of a search.

    Attributes:
        space: The settings that vary, with their possible values.
        method: How the trials are chosen.
        trials: Number of trials, if they are random or proposed.
        lengths: Length of every rung, in decisions of a run or cases of a function. The worse half of the trials ends
            at each but the last.
        batch: Number of trials that are proposed together.
        seed: Seed of the random or proposed trials.
        description: The command-line options that the results depend on.
        start: Values of the first trials, before the proposed ones.
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
        """Return the values of all trials of a grid or of random trials."""
        if self.method == "grid":
            return grid(self.space)
        return [draw(self.space, self.seed, number) for number in range(self.trials)]

    def summary(self) -> str:
        """Describe the plan in one line."""
        trials = len(grid(self.space)) if self.method == "grid" else self.trials
        return (
            f"{self.method}, trials: {trials}, lengths: {', '.join(f'{n:,}' for n in self.lengths)}"
        )

    def default_folder(self, name: str) -> Path:
        """Return a folder whose name is derived from the command line."""
        return Path("runs") / "sweeps" / f"{name}-{sha256(as_json(self.description))[:8]}"


def rung_lengths(whole: int, rungs: int) -> list[int]:
    """Return the length of every rung, each twice as long as the one before.

    Raises:
        ValueError: If the first rung would have length 0.
    """
    if not whole >> rungs - 1:
        raise ValueError(f"{rungs} rungs are too many for a length of {whole}")
    return [whole >> back for back in range(rungs - 1, -1, -1)]


def check_plan(folder: Path, description: dict[str, Any]) -> None:
    """Check that a folder can be written, and that it does not belong to another command line.

    Raises:
        ValueError: If not; the message names the options that differ.
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
    """Read the options of a search from its folder.

    Raises:
        ValueError: If it is not the folder of a search.
    """
    try:
        plan = json.loads((folder / PLAN).read_bytes())
        if isinstance(plan, dict):
            return plan
    except (OSError, ValueError, RecursionError) as e:
        raise ValueError(f"{folder / PLAN}: missing or damaged ({e})") from None
    raise ValueError(f"{folder / PLAN}: not a file that a sweep writes")


def write_plan(folder: Path, description: dict[str, Any]) -> None:
    """Create the folder of a search and write its options into it.

    Raises:
        OSError: If it cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / PLAN).exists():
        write_whole(folder / PLAN, as_json(description))
