"""Discrete action sets: what an action index does to (steer, gas, brake), and its mirror image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ActionSet:
    """A named list of controls.

    Attributes:
        name: How settings and weight files call it.
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
        """Index of the action that does the same in a world seen in a mirror, int32 [A]."""
        flipped = [(0.0 - steer, gas, brake) for steer, gas, brake in self.controls]
        return np.array([self.controls.index(c) for c in flipped], dtype=np.int32)  # [A]


# Steering as fine as fast bends need, and a brake that still steers. Gas is at most what the rear wheels can put on the
# road at 60 units per second: with more they slip, and the car turns round. The front wheels turn by 0.4 at most.
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

# Gymnasium's own five, in its order: nothing, right, left, gas, brake.
STOCK = ActionSet(
    "stock",
    ((0.0, 0.0, 0.0), (0.6, 0.0, 0.0), (-0.6, 0.0, 0.0), (0.0, 0.2, 0.0), (0.0, 0.0, 0.8)),
)

ACTION_SETS = {s.name: s for s in (BRISK, STOCK)}


def action_set(name: str) -> ActionSet:
    """Look an action set up by name.

    Raises:
        ValueError: If there is none of that name.
    """
    if name not in ACTION_SETS:
        raise ValueError(f"action set must be one of {', '.join(ACTION_SETS)}, got {name!r}")
    return ACTION_SETS[name]
