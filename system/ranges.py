"""Ranges and units of settings are stated in their types, with annotated-types; here they are read.

`gamma: Annotated[float, Interval(ge=0, le=1)]`, `stack: Annotated[int, Interval(ge=1, le=16), Unit("images")]`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from annotated_types import Ge, GroupedMetadata, Gt, Interval, Le, Unit

LARGEST = 1e12  # larger numbers are typing errors, and their products overflow

Probability = Annotated[float, Interval(ge=0, le=1)]
NotNegative = Annotated[float, Ge(0)]
Positive = Annotated[float, Gt(0)]
Count = Annotated[int, Ge(1)]
Updates = Annotated[int, Ge(0), Unit("updates")]
Decisions = Annotated[int, Ge(0), Unit("decisions")]


def unit(metadata: tuple[Any, ...]) -> str:
    """The unit among what a type is annotated with; empty if there is none."""
    return next((m.unit for m in metadata if isinstance(m, Unit)), "")


def allowed(metadata: tuple[Any, ...]) -> str:
    """The range among what a type is annotated with, in words; empty if there is none."""
    low = high = ""
    for bound in _bounds(metadata):
        if isinstance(bound, Ge):
            low = f"{bound.ge}"
        elif isinstance(bound, Gt):
            low = f"above {bound.gt}"
        elif isinstance(bound, Le):
            high = f"{bound.le}"
    if low and high:
        return f"{low} to {high}"
    if low:
        return low if low.startswith("above") else f"at least {low}"
    return f"at most {high}" if high else ""


def out_of_range(metadata: tuple[Any, ...], value: float) -> str:
    """What is wrong with a number, as the end of a sentence; empty if nothing is."""
    if not abs(value) <= LARGEST:  # NaN is not, either
        return f"must be {allowed(metadata) or 'finite'}, and not beyond {LARGEST:g}, got {value!r}"
    for bound in _bounds(metadata):
        if (
            (isinstance(bound, Ge) and value < bound.ge)  # type: ignore[operator]
            or (isinstance(bound, Gt) and value <= bound.gt)  # type: ignore[operator]
            or (isinstance(bound, Le) and value > bound.le)  # type: ignore[operator]
        ):
            return f"must be {allowed(metadata)}, got {value!r}"
    return ""


def _bounds(metadata: tuple[Any, ...]) -> Iterator[Ge | Gt | Le]:
    for one in metadata:
        if isinstance(one, Ge | Gt | Le):
            yield one
        elif isinstance(one, GroupedMetadata) and not isinstance(one, Unit):
            yield from _bounds(tuple(one))
