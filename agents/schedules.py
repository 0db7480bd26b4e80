"""Schedules: pure functions of a counter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from system.ranges import Decisions, NotNegative, Probability


def linear(counter: int, start: float, end: float, duration: int) -> float:
    """Interpolate from `start` to `end` while `counter` goes from 0 to `duration`; return `end` after that."""
    fraction = min(counter / duration, 1.0) if duration > 0 else 1.0
    return start + (end - start) * fraction


def ladder(base: float, exponent: float, rungs: int) -> NDArray[np.float64]:
    """Compute one exploration rate per environment, from highest to lowest (Horgan et al. 2018, section 4.1).

    epsilon_i = base ** (1 + exponent * i / (rungs - 1))

    Args:
        base: The highest rate.
        exponent: Determines the lowest rate, base ** (1 + exponent).
        rungs: Number of environments N.

    Returns:
        Rates, float64 [N].
    """
    position = np.arange(rungs) / max(rungs - 1, 1)
    return np.asarray(base ** (1.0 + exponent * position), dtype=np.float64)


@dataclass(frozen=True)
class Exploration:
    """How it explores."""

    epsilon_start: Probability = 1.0
    """Exploration rate of every car at the start."""
    epsilon_base: Probability = 0.2
    """Final exploration rate of the car that explores most."""
    epsilon_exponent: NotNegative = 4.0
    """The final rate of the car that explores least is epsilon_base to the power of 1 + epsilon_exponent."""
    epsilon_decisions: Decisions = 15_000
    """Decisions over which the rates change linearly from the initial to the final ones."""

    def epsilon(self, decisions: int, cars: int) -> NDArray[np.float64]:
        """Return every car's exploration rate after this many decisions, float64 [cars]."""
        ends = ladder(self.epsilon_base, self.epsilon_exponent, cars)
        return np.array(
            [linear(decisions, self.epsilon_start, end, self.epsilon_decisions) for end in ends]
        )
