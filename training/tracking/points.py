"""Downsamples curves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

Row = dict[str, float]


class Points:
    """Collects values into rows by decisions: means over spans of equal length, and values that are kept as they are.

    Spans do not depend on when checkpoints are made, so that a run that was stopped and resumed gives the same points.

    Args:
        span: Length of a span, decisions.
    """

    def __init__(self, span: int) -> None:
        self._span = max(span, 1)
        self._rows: dict[int, Row] = {}
        self._last = -1  # decisions at the last value of the open span
        self._sums: dict[str, list[float]] = {}  # of the open span: sum and count

    def add(self, decisions: int, values: Mapping[str, float]) -> None:
        """Add values to be averaged."""
        if self._sums and decisions // self._span != self._last // self._span:
            self.close_span()
        self._last = decisions
        for name, value in values.items():
            total, count = self._sums.get(name, (0.0, 0))
            self._sums[name] = [total + float(value), count + 1]

    def put(self, decisions: int, values: Mapping[str, float]) -> None:
        """Add values to be kept as they are."""
        self._rows.setdefault(decisions, {}).update(values)

    def close_span(self) -> None:
        """Close the open span with its point."""
        means = {name: total / count for name, (total, count) in self._sums.items()}
        if means:
            self.put(self._last, means)
        self._sums = {}

    def take(self) -> list[tuple[int, Row]]:
        """Remove and return the complete rows, by decisions.

        A row at the current end of the open span is not complete: the span's means may still be added to it.
        """
        end = self._last if self._sums else math.inf
        rows = sorted((at, row) for at, row in self._rows.items() if at < end)
        self._rows = {at: row for at, row in self._rows.items() if at >= end}
        return rows

    def get_state(self) -> dict[str, Any]:
        """Return the state as JSON data."""
        return {"rows": sorted(self._rows.items()), "last": self._last, "sums": self._sums}

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore what `get_state` returned."""
        self._rows = {int(decisions): row for decisions, row in state["rows"]}
        self._last, self._sums = state["last"], state["sums"]
