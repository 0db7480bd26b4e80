"""Schedules: pure functions of a named counter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


def linear(counter: int, start: float, end: float, duration: int) -> float:
    """From `start` to `end` while `counter` goes from 0 to `duration`, then `end`."""
    fraction = min(counter / duration, 1.0) if duration > 0 else 1.0
    return start + (end - start) * fraction


def ladder(base: float, exponent: float, rungs: int) -> NDArray[np.float64]:
    """One exploration rate per environment, from careless to careful (Horgan et al. 2018, section 4.1).

    epsilon_i = base ** (1 + exponent * i / (rungs - 1))

    Args:
        base: The highest rate.
        exponent: How far the ladder reaches down.
        rungs: Number of environments.

    Returns:
        Rates, float64 [rungs].
    """
    position = np.arange(rungs) / max(rungs - 1, 1)
    return np.asarray(base ** (1.0 + exponent * position), dtype=np.float64)


@dataclass(frozen=True)
class Schedules:
    """What changes while a run goes on, each a function of a counter.

    Attributes:
        epsilons: Exploration rate of every car, float64 [actors * cars], by decisions.
        learning_rate: Of Adam, by updates.
        beta: Exponent of the importance weights, by updates; without priorities it has no effect.
    """

    epsilons: Callable[[int], NDArray[np.float64]]
    learning_rate: Callable[[int], float]
    beta: Callable[[int], float] = lambda updates: 1.0
