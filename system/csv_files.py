"""CSV files as this project writes them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable


def as_csv(head: Iterable[object], rows: Iterable[Iterable[object]]) -> bytes:
    """A head and rows, in UTF-8, a line each."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return text.getvalue().encode()
