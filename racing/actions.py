"""Discrete action sets: they map an action index to (steer, gas, brake) and to its mirror image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ActionSet:
    """A named list of controls.

    Attributes:
        name: Its name in settings and weight files.
        controls: (steer -1 left to +1 right, gas 0 to 1, brake 0 to 1) of every action.
    """

    name: str
    controls: tuple[tuple[float, float, float], ...]

    def __len__(self) -> int:
        return len(self.controls)

    @property
    def table(self) -> NDArray[np.float64]:
        """The controls as an array, float64 [A, 3]."""
        return np.array(self.controls, dtype=np.float64)  # [A, 3]

    @property
    def mirror(self) -> NDArray[np.int32]:
        """For each action, the index of its mirror image, which steers the other way, int32 [A]."""
        flipped = [(0.0 - steer, gas, brake) for steer, gas, brake in self.controls]
        return np.array([self.controls.index(c) for c in flipped], dtype=np.int32)  # [A]


# Steering is as fine as fast bends need, and there are actions that brake and steer. Gas is limited to what the rear
# wheels can transfer at 60 units per second: with more, they slip and the car spins. The steering angle is at most 0.4.
BRISK = ActionSet(
    "brisk",
    (
        (0.0, 0.0, 0.0),
        (-0.45, 0.1, 0.0),
        (0.45, 0.1, 0.0),
        (0.0, 0.8, 0.0),
        (0.0, 0.0, 0.7),
        (-0.25, 0.1, 0.0),
        (0.25, 0.1, 0.0),
        (-0.18, 0.2, 0.0),
        (0.18, 0.2, 0.0),
        (-0.12, 0.4, 0.0),
        (0.12, 0.4, 0.0),
        (-0.06, 0.8, 0.0),
        (0.06, 0.8, 0.0),
        (0.0, 0.5, 0.0),
        (0.0, 0.0, 0.3),
        (-0.12, 0.0, 0.2),
        (0.12, 0.0, 0.2),
        (-0.25, 0.0, 0.3),
        (0.25, 0.0, 0.3),
    ),
)

# Gymnasium's own five actions, in its order: nothing, right, left, gas, brake.
STOCK = ActionSet(
    "stock",
    ((0.0, 0.0, 0.0), (0.6, 0.0, 0.0), (-0.6, 0.0, 0.0), (0.0, 0.2, 0.0), (0.0, 0.0, 0.8)),
)

ACTION_SETS = {s.name: s for s in (BRISK, STOCK)}


def action_set(name: str) -> ActionSet:
    """Look up an action set by name.

    Raises:
        ValueError: If there is no set of that name.
    """
    if name not in ACTION_SETS:
        raise ValueError(f"action set must be one of {', '.join(ACTION_SETS)}, got {name!r}")
    return ACTION_SETS[name]
