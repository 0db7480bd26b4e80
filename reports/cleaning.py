"""Frees disk space: moves checkpoints and replays of finished runs to a trash folder; they can be moved back."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reports.run_list import RunRow, folder_bytes, row_of
from system.times import now
from training.runs.run_folder import CHECKPOINTS, RunFolder
from training.runs.store import Runs

TRASH = ".trash"


@dataclass(frozen=True)
class Kept:
    """A run that is not cleaned, and the reason."""

    run: RunFolder
    reason: str


def plan(root: Path, wanted: Sequence[str]) -> tuple[list[RunFolder], list[Kept]]:
    """Choose the runs to clean: finished runs, except the newest and the best run of each script.

    Args:
        root: Folder that contains all runs.
        wanted: Which runs to consider, as in `Runs.matching`; all if empty.

    Returns:
        The runs to clean, and the runs to keep.

    Raises:
        RunError: If a wanted run does not exist.
    """
    everything = Runs(root).all()
    rows = {run.path: row_of(run, i) for i, run in enumerate(everything)}
    asked = {run.path for run in Runs(root).matching_any(wanted)}
    best = _best(everything, rows)
    chosen, kept = list[RunFolder](), list[Kept]()
    for run in everything:
        if (wanted and run.path not in asked) or not (run.path / CHECKPOINTS).is_dir():
            continue
        state = rows[run.path].state
        if state != "finished":
            kept.append(Kept(run, state))
        elif run.path == everything[-1].path:
            kept.append(Kept(run, "the newest"))
        elif run.path in best:
            kept.append(Kept(run, f"the best of {run.path.parent.name}"))
        else:
            chosen.append(run)
    return chosen, kept


def _best(runs: Sequence[RunFolder], rows: dict[Path, RunRow]) -> set[Path]:
    """Return the runs with the highest test score and with the highest validation score of every script."""
    best = set[Path]()
    for agent in {run.path.parent.name for run in runs}:
        ours = [run.path for run in runs if run.path.parent.name == agent]
        for kind in ("test", "validation"):
            known = [path for path in reversed(ours) if getattr(rows[path], kind) is not None]
            if known:  # of equal ones the newest
                best.add(max(known, key=lambda path: getattr(rows[path], kind)))
    return best


def move_to_trash(run: RunFolder, root: Path) -> Path:
    """Move the checkpoints of a run, including its replay, to the trash; its weights, CSVs and curves are kept.

    Returns:
        Their folder in the trash.

    Raises:
        RunError: If the run is being trained.
        OSError: If they cannot be moved.
    """
    name = f"{now().replace(':', '')}-{run.path.parent.name}-{run.path.name}"
    run.lock()
    try:
        trash = root / TRASH
        trash.mkdir(exist_ok=True)
        return (run.path / CHECKPOINTS).rename(trash / name)
    finally:
        run.unlock()


def clean(root: Path, wanted: Sequence[str], do_it: bool) -> None:
    """Print which runs are cleaned and which are kept; move the files only if `do_it` is true.

    Raises:
        RunError: If a wanted run does not exist.
        OSError: If a file cannot be moved.
    """
    chosen, kept = plan(root, wanted)
    for left in kept:
        print(f"{left.run.path}: kept, {left.reason}")
    for run in chosen:
        size = f"{folder_bytes(run.path / CHECKPOINTS) / 2**20:.0f} MiB"
        if do_it:
            print(f"{run.path}: {size} moved to {move_to_trash(run, root)}")
        else:
            print(f"{run.path}: {size} of checkpoints would be moved to {root / TRASH}")
    if chosen and not do_it:
        print("nothing was changed; add --yes to do it")
    elif not chosen:
        print("nothing to clean")


def empty_trash(root: Path, do_it: bool) -> None:
    """Print what is in the trash; delete it only if `do_it` is true.

    Raises:
        OSError: If a file cannot be deleted.
    """
    trash = root / TRASH
    found = sorted(trash.iterdir()) if trash.is_dir() else []
    for path in found:
        size = f"{folder_bytes(path) / 2**20:.0f} MiB"
        if do_it:
            shutil.rmtree(path)
        print(f"{path}: {size} {'deleted' if do_it else 'would be deleted for good'}")
    if found and not do_it:
        print("nothing was changed; add --yes to do it")
    elif not found:
        print("the trash is empty")
