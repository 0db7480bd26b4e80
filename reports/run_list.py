"""Lists all runs and their states, from files alone, so that it also works during training and over NFS."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import socket
import sys
from dataclasses import asdict, astuple, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from evaluation.scores import read_episodes
from reports.curves import read_points
from reports.screen import console
from system.times import parse, seconds_since
from training.runs.label import read_label
from training.runs.names import RunError
from training.runs.run_folder import TESTS, VALIDATIONS, RunFolder
from training.runs.store import is_part
from training.tracking.status import STATUS

FRESH_SECONDS = (
    60.0  # a status that is younger is a trainer's on another machine, whose lock cannot be seen
)


@dataclass(frozen=True)
class RunRow:
    """A row of `runs.py list`; None for what is unknown.

    Attributes:
        index: Index among all runs, oldest first.
        run: Agent and name.
        state: `running`, `stopped`, `finished`, `failed`, or `killed` if its status is `running` but no trainer is.
        decisions: Decisions made so far.
        total: Decisions in total.
        validation: Best mean score on the validation tracks.
        test: Mean score on the test tracks.
        laps: Share of the test tracks with a complete lap.
        started: Start time in UTC, ISO 8601.
        mib: Size of the folder, MiB.
        label: The user's label.
        weights: File of the initial weights; empty for random ones.
    """

    index: int
    run: str
    state: str
    decisions: int | None
    total: int | None
    validation: float | None
    test: float | None
    laps: float | None
    started: str | None
    mib: float
    label: str
    weights: str


COLUMNS = tuple(field.name for field in fields(RunRow))
HEAD = ("", "run", "state", "done", "valid.", "test", "laps", "started", "MiB", "label")


def read_status(run: RunFolder) -> dict[str, Any]:
    """Read a run's status.json; empty if it is missing or damaged, as for runs of earlier versions."""
    with contextlib.suppress(OSError, ValueError):
        status = json.loads((run.path / STATUS).read_bytes())
        if isinstance(status, dict):
            return status
    return {}


def state_of(run: RunFolder, status: dict[str, Any]) -> str:
    """Return the state of a run, given its lock and its status.json."""
    if run.is_locked():
        return "running"
    said = str(status.get("state", ""))
    if said == "running":
        with contextlib.suppress(ValueError):
            fresh = seconds_since(parse(status.get("time"))) < FRESH_SECONDS
            if fresh and not _is_gone(status):
                return "running"
        return "killed"
    return said or ("finished" if run.is_finished() else "stopped")


def _is_gone(status: dict[str, Any]) -> bool:
    """Return whether the trainer was a process on this machine and no longer exists."""
    if status.get("host") != socket.gethostname():
        return False
    try:
        os.kill(int(status["pid"]), 0)
    except ProcessLookupError:
        return True
    except (OSError, KeyError, TypeError, ValueError, OverflowError):
        return False
    return False


def row_of(run: RunFolder, index: int) -> RunRow:
    """Return the row of a run."""
    status, config, origin = read_status(run), dict[str, Any](), dict[str, Any]()
    with contextlib.suppress(RunError):
        config, origin = run.config(), run.origin()
    validation = test = laps = decisions = None
    with contextlib.suppress(OSError, ValueError):
        points = read_points(run.path / VALIDATIONS)
        validation, decisions = float(points[:, 3].max()), int(points[-1, 1])
    with contextlib.suppress(OSError, ValueError):
        episodes = read_episodes(run.path / TESTS)
        test = round(float(np.mean([e.score for e in episodes])), 2)
        laps = round(sum(e.laps for e in episodes) / len(episodes), 3)
    return RunRow(
        index=index,
        run=run.full_name,
        state=state_of(run, status),
        decisions=status.get("decisions", decisions),
        total=config.get("decisions"),
        validation=validation,
        test=test,
        laps=laps,
        started=origin.get("started"),
        mib=round(folder_bytes(run.path) / 2**20, 1),
        label=read_label(run),
        weights=str(config.get("weights", "")),
    )


def folder_bytes(folder: Path) -> int:
    """Return the total size of all files in a folder, in bytes."""
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):  # a checkpoint that is being replaced
            total += path.lstat().st_size
    return total


def rows_of(runs: list[RunFolder], sort: str = "index", only: str = "") -> list[RunRow]:
    """Return a row per run.

    Args:
        runs: All runs, oldest first.
        sort: Column to sort by; a `-` in front reverses the order.
        only: `COLUMN=VALUE` to select rows; for the column `run`, a part of the name is enough.

    Raises:
        ValueError: If there is no such column.
    """
    column, _, value = only.partition("=")
    by = sort.removeprefix("-")
    for name in (by, column) if only else (by,):
        if name not in COLUMNS:
            raise ValueError(f"columns are {', '.join(COLUMNS)}; got {name!r}")
    rows = [row_of(run, index) for index, run in enumerate(runs)]
    if only:
        rows = [
            row
            for row in rows
            if (is_part(row.run, value) if column == "run" else value == str(getattr(row, column)))
        ]
    known = [row for row in rows if getattr(row, by) is not None]
    known.sort(key=lambda row: getattr(row, by), reverse=sort.startswith("-"))
    return known + [row for row in rows if getattr(row, by) is None]


def show(rows: list[RunRow], as_json: bool, as_csv: bool) -> None:
    """Print rows as a table, or as JSON or CSV."""
    if as_json:
        print(json.dumps([asdict(row) for row in rows], indent=1))
    elif as_csv:
        csv.writer(sys.stdout, lineterminator="\n").writerows([COLUMNS, *map(astuple, rows)])
    else:
        table = Table(box=None, header_style="bold", pad_edge=False)
        for name in HEAD:
            justify: Any = "left" if name in ("run", "state", "label") else "right"
            table.add_column(name, justify=justify, no_wrap=True)
        for row in rows:
            table.add_row(*_cells(row))
        console().print(table)


def _cells(row: RunRow) -> list[str]:
    done = f"{row.decisions / row.total:.0%}" if row.decisions and row.total else "–"
    scores = [f"{v:.1f}" if v is not None else "–" for v in (row.validation, row.test)]
    laps = f"{row.laps:.0%}" if row.laps is not None else "–"
    started = (row.started or "–")[:16].replace("T", " ")
    label = row.label + (f" (began with {Path(row.weights).name})" if row.weights else "")
    size = f"{row.mib:.0f}"
    return [str(row.index), row.run, row.state, done, *scores, laps, started, size, label.strip()]
