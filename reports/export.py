"""Exports runs as tidy tables: settings and scores, validations, training episodes, and test episodes."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reports.run_list import row_of
from system.csv_files import as_csv
from system.files import check_folder, write_whole
from training.runs.run_folder import EPISODES, TESTS, VALIDATIONS, RunFolder

Row = dict[str, Any]
TABLES = {"validations": VALIDATIONS, "episodes": EPISODES, "tests": TESTS}


def tables(runs: Sequence[RunFolder]) -> dict[str, list[Row]]:
    """Make the tables. Every row has the name of its run in the column `run`.

    The table `runs` has a row per run with its state, settings and origin. The others have the rows of the runs' CSVs.

    Returns:
        Lists of rows, by the name of the table.

    Raises:
        ValueError: If a file of a run is damaged.
    """
    found: dict[str, list[Row]] = {"runs": [], **{name: [] for name in TABLES}}
    for index, run in enumerate(runs):
        row = row_of(run, index)
        status = {k: v for k, v in vars(row).items() if k != "index"}
        origin = {f"origin_{k}": v for k, v in run.origin().items()}
        found["runs"].append(status | run.config() | origin)
        for name, file in TABLES.items():
            found[name] += [{"run": row.run, **r} for r in _rows(run.path / file)]
    return found


def _rows(path: Path) -> list[Row]:
    if not path.exists():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file, strict=True))
    except (csv.Error, ValueError) as e:
        raise ValueError(f"{path}: not a CSV ({e})") from None
    if any(None in row or None in row.values() for row in rows):
        raise ValueError(f"{path}: rows of different lengths")
    return [{key: _number(value) for key, value in row.items()} for row in rows]


def _number(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def export(runs: Sequence[RunFolder], folder: Path, as_json: bool) -> list[Path]:
    """Write `runs.json`, or a CSV per table, into a folder, without overwriting files.

    Returns:
        The files that were written.

    Raises:
        ValueError: If a file exists, or a file of a run is damaged; nothing is written then.
        OSError: If a file cannot be written.
    """
    found = tables(runs)
    if as_json:
        content = {folder / "runs.json": json.dumps(found, indent=1, default=str).encode() + b"\n"}
    else:
        content = {folder / f"{name}.csv": _as_csv(rows) for name, rows in found.items() if rows}
    check_folder(folder)
    for path in content:
        if path.exists():
            raise ValueError(f"{path} exists already: choose another --out")
    folder.mkdir(parents=True, exist_ok=True)
    for path, data in content.items():
        write_whole(path, data)
    return list(content)


def _as_csv(rows: list[Row]) -> bytes:
    """Encode rows as CSV, with lists and dictionaries as JSON; columns that a row lacks are empty."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    return as_csv(columns, ([_plain(row.get(name, "")) for name in columns] for row in rows))


def _plain(value: Any) -> Any:
    return json.dumps(value, default=str) if isinstance(value, list | tuple | dict) else value
