"""Curves of many points, made into curves of fewer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

Row = dict[str, float]


class Points:
    """Rows of values by decisions: means over spans of equal length, and values that are kept as they are.

    Where a span begins does not depend on when checkpoints are made, so that the same points come out of a run that
    was stopped and resumed.

    Args:
        span: In decisions.
    """

    def __init__(self, span: int) -> None:
        self._span = max(span, 1)
        self._rows: dict[int, Row] = {}
        self._last = -1  # decisions at the last value of the open span
        self._sums: dict[str, list[float]] = {}  # of the open span: sum and count

    def add(self, decisions: int, values: Mapping[str, float]) -> None:
        """Values that are averaged."""
        if self._sums and decisions // self._span != self._last // self._span:
            self.close_span()
        self._last = decisions
        for name, value in values.items():
            total, count = self._sums.get(name, (0.0, 0))
            self._sums[name] = [total + float(value), count + 1]

    def put(self, decisions: int, values: Mapping[str, float]) -> None:
        """Values that are kept as they are."""
        self._rows.setdefault(decisions, {}).update(values)

    def close_span(self) -> None:
        """Make the point of the open span."""
        means = {name: total / count for name, (total, count) in self._sums.items()}
        if means:
            self.put(self._last, means)
        self._sums = {}

    def take(self) -> list[tuple[int, Row]]:
        """The rows that are complete, by their decisions, and forget them.

        One where the open span ends so far is not: the span's means may belong there, too.
        """
        end = self._last if self._sums else math.inf
        rows = sorted((at, row) for at, row in self._rows.items() if at < end)
        self._rows = {at: row for at, row in self._rows.items() if at >= end}
        return rows

    def get_state(self) -> dict[str, Any]:
        """As JSON."""
        return {"rows": sorted(self._rows.items()), "last": self._last, "sums": self._sums}

    def set_state(self, state: dict[str, Any]) -> None:
        """Put back what `get_state` gave."""
        self._rows = {int(decisions): row for decisions, row in state["rows"]}
        self._last, self._sums = state["last"], state["sums"]
