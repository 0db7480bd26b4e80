"""Writes rows of results as CSV and prints them as tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from reports.markdown import table
from system.csv_files import as_csv
from system.exits import exit_with_error
from system.files import check_file, write_whole


def check_writable(path: Path) -> None:
    """Exit with an error if a file cannot be written."""
    try:
        check_file(path)
    except ValueError as e:
        exit_with_error(e)


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write rows as CSV, atomically; a field that a row lacks is empty."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    write_whole(path, as_csv(names, ([row.get(name, "") for name in names] for row in rows)))


def show(title: str, rows: list[dict[str, str]]) -> None:
    """Print rows as a table."""
    shown = Table(*(name.replace("_", " ") for name in rows[0]), title=title)
    for row in rows:
        shown.add_row(*row.values())
    Console().print(shown)


def as_table(rows: list[dict[str, str]]) -> str:
    """Format rows as a table in Markdown; the keys of the first row are the header."""
    return table(list(rows[0]), [list(row.values()) for row in rows])
