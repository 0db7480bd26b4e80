"""The search space of a sweep: parses `--seeds`, `--set NAME=VALUE,...` and `--space NAME=KIND:LOW:HIGH`."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.scripts import OF_A_RUN
from system.ranges import check_fields
from training.settings import RunSettings, flat, from_json, groups

INSTEAD = {"seed": "--seeds", "runs": "--folder", "preset": "--preset"}
DIGITS = 4  # significant digits of a sampled number
MOST_SEEDS = 1000


def parse_seeds(text: str) -> tuple[int, ...]:
    """Parse seeds given as `FIRST:LAST`, LAST included, or as a comma-separated list.

    Raises:
        ValueError: If they are not different numbers of at least 0, or too many.
    """
    first, colon, last = text.partition(":")
    words = [first, last] if colon else text.split(",")
    if not all(w.isascii() and w.isdecimal() and len(w) < 10 for w in words):
        raise ValueError(
            f"seeds are FIRST:LAST, LAST included, or a list such as 1,3,7; got {text!r}"
        )
    numbers = [int(w) for w in words]
    if colon:
        if numbers[0] > numbers[1]:
            raise ValueError(f"seeds: FIRST must not be above LAST, got {text!r}")
        numbers = list(range(numbers[0], min(numbers[1], numbers[0] + MOST_SEEDS) + 1))
    if len(set(numbers)) < len(numbers):
        raise ValueError(f"seeds: one is given twice in {text!r}")
    if len(numbers) > MOST_SEEDS:
        raise ValueError(f"at most {MOST_SEEDS} seeds, got {text!r}")
    return tuple(numbers)


@dataclass(frozen=True)
class Choice:
    """A choice among several values."""

    options: tuple[Any, ...]

    def draw(self, rng: np.random.Generator) -> Any:
        """Sample one of the values uniformly."""
        return self.options[rng.integers(len(self.options))]


@dataclass(frozen=True)
class Range:
    """A range of numbers.

    Attributes:
        low: Lower bound, included.
        high: Upper bound, included.
        log: Whether numbers are sampled log-uniformly instead of uniformly.
        whole: Whether only whole numbers are sampled.
    """

    low: float
    high: float
    log: bool = False
    whole: bool = False

    def draw(self, rng: np.random.Generator) -> float:
        """Sample a number."""
        if self.whole and not self.log:
            return int(rng.integers(int(self.low), int(self.high) + 1))
        if self.log:
            return self.rounded(math.exp(rng.uniform(math.log(self.low), math.log(self.high))))
        return self.rounded(rng.uniform(self.low, self.high))

    def rounded(self, value: float) -> float:
        """Round a number to DIGITS significant digits, so that it is easy to type, or to a whole number."""
        if self.whole:
            return min(max(round(value), int(self.low)), int(self.high))
        return min(max(float(f"{value:.{DIGITS}g}"), self.low), self.high)


Dimension = Choice | Range


def parse_space(
    sets: Sequence[str], spaces: Sequence[str], base: RunSettings
) -> tuple[RunSettings, dict[str, Dimension]]:
    """Parse `--set` and `--space`.

    Args:
        sets: Each `NAME=VALUE` or `NAME=VALUE,VALUE,...`; values are JSON or bare words.
        spaces: Each `NAME=int:LOW:HIGH`, `float:LOW:HIGH`, `log:LOW:HIGH` or `choice:VALUE,VALUE,...`.
        base: Settings of the preset.

    Returns:
        The settings, with the single values of `--set` applied; and the settings that vary, in the order given.

    Raises:
        ValueError: If an option is invalid; the message names the option, the setting, and the allowed values.
    """
    found: dict[str, Dimension] = {}
    for option, texts in (("--set", sets), ("--space", spaces)):
        for text in texts:
            name, equals, value = text.partition("=")
            name = name.strip().replace("-", "_")
            if not equals:
                raise ValueError(f"{option} is NAME=..., got {text!r}")
            if name in OF_A_RUN:
                raise ValueError(f"{option} {name}: {_instead(name)}")
            if name in found:
                raise ValueError(f"{name} is given twice")
            from_json(base, {name: flat(base).get(name)})  # raises an error for an unknown name
            try:
                default = flat(base)[name]
                found[name] = _choice(value) if option == "--set" else _range(value, default)
                _check(found[name], name, base)
            except ValueError as e:
                raise ValueError(f"{option} {text}: {e}") from None
    single = {
        name: d.options[0]
        for name, d in found.items()
        if isinstance(d, Choice) and len(d.options) == 1
    }
    return from_json(base, single), {n: d for n, d in found.items() if n not in single}


def _instead(name: str) -> str:
    return f"use {INSTEAD[name]}" if name in INSTEAD else "the sweep sets it itself"


def _choice(text: str) -> Choice:
    """Parse comma-separated values."""
    try:
        options = json.loads(f"[{text}]")
    except (ValueError, RecursionError):
        options = [_value(word.strip()) for word in text.split(",")]
    options = [_hashable(option) for option in options]
    if not options or "" in options:
        raise ValueError("a value is missing")
    if len(set(map(repr, options))) < len(options):
        raise ValueError("a value is given twice")
    return Choice(tuple(options))


def _value(word: str) -> Any:
    try:
        return json.loads(word)
    except ValueError:
        return word


def _hashable(value: Any) -> Any:
    return tuple(map(_hashable, value)) if isinstance(value, list) else value


def _range(text: str, default: object) -> Dimension:
    kind, _, rest = text.partition(":")
    if kind == "choice":
        return _choice(rest)
    if kind not in ("int", "float", "log"):
        raise ValueError("a space is int:LOW:HIGH, float:LOW:HIGH, log:LOW:HIGH or choice:A,B,...")
    whole = kind == "int" or (kind == "log" and type(default) is int)
    try:
        low, high = (float(word) for word in rest.split(":"))
    except ValueError:
        raise ValueError(f"{kind} needs two numbers, LOW:HIGH") from None
    if not low < high:
        raise ValueError("the range is empty: LOW must be below HIGH")
    if not math.isfinite(high - low):
        raise ValueError("LOW and HIGH must be finite")
    if kind == "log" and low <= 0:
        raise ValueError("LOW must be above 0")
    if whole and (low % 1 or high % 1):
        raise ValueError("LOW and HIGH must be whole numbers")
    if whole:
        low, high = int(low), int(high)
    return Range(low, high, kind == "log", whole)


def _check(dimension: Dimension, name: str, base: RunSettings) -> None:
    """Raise an error for values outside the setting's own range; combinations of settings are not checked."""
    values = dimension.options if isinstance(dimension, Choice) else (dimension.low, dimension.high)
    for value in values:
        for group in groups(from_json(base, {name: value})):
            check_fields(group)


def grid(space: dict[str, Dimension]) -> list[dict[str, Any]]:
    """Return every combination of the values.

    Raises:
        ValueError: If a setting has a range instead of a list of values.
    """
    for name, dimension in space.items():
        if isinstance(dimension, Range):
            raise ValueError(
                f"--space {name}: a grid has no ranges; use --random or --tpe, or --set"
            )
    options = [d.options for d in space.values() if isinstance(d, Choice)]
    return [dict(zip(space, values, strict=True)) for values in itertools.product(*options)]


def draw(space: dict[str, Dimension], seed: int, number: int) -> dict[str, Any]:
    """Sample the values of a random trial, which depend only on the seed and the number of the trial."""
    rng = np.random.default_rng([seed, number])
    return {name: dimension.draw(rng) for name, dimension in space.items()}
