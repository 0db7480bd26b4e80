"""Reads and checks the ranges and units of settings, which are part of their types by means of annotated-types.

`gamma: Annotated[float, Interval(ge=0, le=1)]`, `stack: Annotated[int, Interval(ge=1, le=16), Unit("images")]`.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Annotated, Any, Literal

from annotated_types import Ge, GroupedMetadata, Gt, Interval, Le, Unit

LARGEST = 1e12  # larger numbers are typos, and their products overflow

Probability = Annotated[float, Interval(ge=0, le=1)]
NotNegative = Annotated[float, Ge(0)]
Positive = Annotated[float, Gt(0)]
Count = Annotated[int, Ge(1)]
Updates = Annotated[int, Ge(0), Unit("updates")]
Decisions = Annotated[int, Ge(0), Unit("decisions")]


def unit(metadata: tuple[Any, ...]) -> str:
    """Return the unit in the metadata of an annotated type; empty if there is none."""
    return next((m.unit for m in metadata if isinstance(m, Unit)), "")


def allowed(metadata: tuple[Any, ...]) -> str:
    """Return the range in the metadata of an annotated type, in words; empty if there is none."""
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
    """Check a number against the range in the metadata of its type.

    Returns:
        What is wrong with it, as the end of a sentence; empty if nothing is.
    """
    if not abs(value) <= LARGEST:  # also true for NaN
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


def check_fields(group: Any) -> None:
    """Check the fields of a dataclass against their types and ranges; fields that are dataclasses are skipped.

    Raises:
        ValueError: If a value is not allowed; the message names the field and the allowed values.
    """
    hints = typing.get_type_hints(type(group), include_extras=True)
    for field in fields(group):
        value = getattr(group, field.name)
        if not is_dataclass(value) and (wrong := problem(hints[field.name], value)):
            raise ValueError(f"{field.name} {wrong}")


def problem(hint: Any, value: Any) -> str:
    """Check a value against its type and range.

    Returns:
        What is wrong with it, as the end of a sentence; empty if nothing is.
    """
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return (out_of_range(parts[1:], value) if number else "") or problem(parts[0], value)
    if origin in (typing.Union, types.UnionType):
        found = [problem(part, value) for part in parts]
        words = " or ".join(w.partition(", got")[0].removeprefix("must be ") for w in found)
        return "" if "" in found else f"must be {words}, got {value!r}"
    if origin is Literal:
        return "" if value in parts else f"must be {' or '.join(map(str, parts))}, got {value!r}"
    if origin is tuple:
        if not isinstance(value, tuple):
            return f"must be a list, got {value!r}"
        kinds = parts[:1] * len(value) if parts[-1] is Ellipsis else parts
        if len(kinds) != len(value):
            return f"must have {len(kinds)} parts, got {value!r}"
        return next(filter(None, map(problem, kinds, value)), "")
    fits = isinstance(value, (int, float) if hint is float else hint)
    if not fits or (isinstance(value, bool) and hint is not bool):
        return f"must be {hint.__name__}, got {value!r}"
    return out_of_range((), value) if hint in (int, float) else ""
