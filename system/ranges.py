"""Ranges and units of settings, stated in their types: `gamma: Probability`, `stack: Annotated[int, Range(1, 16)]`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

LARGEST = 1e12  # larger numbers are typing errors, and their products overflow


@dataclass(frozen=True)
class Range:
    """The numbers that a setting may be.

    Attributes:
        low: The least.
        high: The greatest.
        unit: What is counted or measured.
        above_low: Whether `low` itself is excluded.
    """

    low: float
    high: float = LARGEST
    unit: str = ""
    above_low: bool = False

    def problem(self, value: object) -> str:
        """What is wrong with a value, as the end of a sentence; empty if nothing is."""
        number = isinstance(value, int | float) and math.isfinite(value)
        if number and self.low <= value <= self.high and not (self.above_low and value == self.low):  # type: ignore[operator]
            return ""
        return f"must be {self}, got {value!r}"

    def __str__(self) -> str:
        if self.low <= -LARGEST and self.high >= LARGEST:
            return f"a number within {LARGEST:g}"
        if self.high >= LARGEST:
            return f"{'above' if self.above_low else 'at least'} {self.low:g}"
        return f"{'above ' if self.above_low else ''}{self.low:g} to {self.high:g}"


Number = Annotated[float, Range(-LARGEST)]
Probability = Annotated[float, Range(0, 1)]
NotNegative = Annotated[float, Range(0)]
Positive = Annotated[float, Range(0, above_low=True)]
Count = Annotated[int, Range(1)]
Decisions = Annotated[int, Range(0, unit="decisions")]
Updates = Annotated[int, Range(0, unit="updates")]
Points = Annotated[float, Range(0, unit="points")]
Speed = Annotated[float, Range(0, unit="world units/s")]
