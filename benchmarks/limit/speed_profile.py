"""Computes the fastest speeds along given lines with a forward and a backward pass, within the friction circle.

Every line is divided into cells of constant curvature. Within a cell, the squared speed b of a car that uses all of the
circle obeys db/ds = ±2 sqrt(grip² - (curvature b)²), whose solution is a sine, so cells of any length are exact. All
functions work on many lines at once, one per column.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.limit.car import Limits

STRAIGHT = 1e-9  # 1/units; smaller curvatures count as straight

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Profile:
    """Speeds along lines.

    Attributes:
        speed: Speed at the ends of the cells, units/s, [cells + 1, lines].
        time: Time to reach the ends of the cells, seconds, [cells + 1, lines].
    """

    speed: Array
    time: Array

    @property
    def total(self) -> Array:
        """Seconds for the whole line, [lines]."""
        return np.asarray(self.time[-1])


def fastest(curvature: Array, length: Array, hold: Array, car: Limits) -> Profile:
    """Compute the fastest speed profile from a standing start, without a limit on the final speed.

    Args:
        curvature: Curvature of every cell, 1/units, [cells, lines].
        length: Length of every cell, units, [cells, lines].
        hold: Share of the full grip in every cell, [cells, lines].
        car: Limits of the car.

    Returns:
        The profile.
    """
    bend = np.abs(curvature) + STRAIGHT
    grip = hold * car.grip
    steady = grip / bend  # squared speed at which the bend needs all of the grip
    cap = np.minimum(steady, car.top_speed**2)
    squared = np.full((len(bend) + 1, bend.shape[1]), car.top_speed**2)
    squared[:-1] = np.minimum(squared[:-1], cap)
    squared[1:] = np.minimum(squared[1:], cap)
    angle = 2 * bend * length  # by which the sine advances over a cell
    for i in range(len(bend) - 1, -1, -1):
        squared[i] = np.minimum(squared[i], _along_sine(squared[i + 1], steady[i], angle[i]))
    speed, taken = _forward(np.sqrt(squared), length, steady, angle, car)
    return Profile(speed, np.concatenate([np.zeros((1, bend.shape[1])), np.cumsum(taken, axis=0)]))


def _along_sine(squared: Array, steady: Array, angle: Array) -> Array:
    phase = np.arcsin(np.minimum(squared / steady, 1.0)) + angle
    return np.asarray(steady * np.sin(np.minimum(phase, np.pi / 2)))


def _forward(
    ceiling: Array, length: Array, steady: Array, angle: Array, car: Limits
) -> tuple[Array, Array]:
    """Compute speeds from a standstill, below a ceiling, [cells + 1, lines], and seconds per cell, [cells, lines]."""
    speed, taken = np.empty_like(ceiling), np.empty_like(length)
    speed[0] = 0.0
    lag = np.zeros(ceiling.shape[1])  # by which the front wheels' spin lags behind the car, units/s
    lasting = car.forward / car.spin_rate  # that lag in a long acceleration
    for i in range(len(length)):
        now = speed[i]
        push = car.push(np.minimum(now**2 / steady[i], 1.0))
        powered = push * np.minimum(
            car.forward, car.power / np.maximum(now + car.power_offset, 1e-9)
        )
        time = 2 * length[i] / (np.sqrt(now**2 + 2 * powered * length[i]) + now + 1e-9)
        burst = push * car.burst * (1 - lag / lasting) * -np.expm1(-car.burst_rate * time)
        rolled = np.sqrt((now + burst) ** 2 + 2 * powered * length[i])
        then = speed[i + 1] = np.minimum(rolled, ceiling[i + 1])
        used = burst * np.clip((then - now) / (rolled - now + 1e-9), 0.0, 1.0)
        time = taken[i] = 2 * length[i] / (now + used + then + 1e-9)
        fade = np.exp(-car.spin_rate * time)
        pull = (then - now) / (time + 1e-9) / car.spin_rate
        lag = np.clip(lag * fade + pull * (1 - fade), 0.0, lasting)
    return speed, taken
