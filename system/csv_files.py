"""The CSV format of this project's files: writing and reading."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path


def as_csv(head: Iterable[object], rows: Iterable[Iterable[object]]) -> bytes:
    """Encode a header and rows as CSV, in UTF-8, with one line each."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return text.getvalue().encode()


def read_csv(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV by the names in its head."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))
