"""The geometry of the road: where a racing line may run, and how much grip the car has there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium.envs.box2d.car_racing import TRACK_WIDTH
from numpy.typing import NDArray

from benchmarks.limit.car import GRASS, body
from racing.simulator import Simulator

Array = NDArray[np.float64]
Jet = NDArray[Any]  # float64, or complex128 whose imaginary part is a derivative


@dataclass(frozen=True)
class Road:
    """The boundaries between tiles that the car crosses, from the start to that of the last tile.

    Attributes:
        middle: Middle of every boundary, units, [boundaries, 2]; the first is the start position of the car.
        right: Unit vectors along the boundaries, to the right, [boundaries, 2].
        tiles: Number of tiles of the track.
    """

    middle: Array
    right: Array
    tiles: int

    def points(self, offset: Array) -> Array:
        """Return the points at offsets to the right of the middle, [boundaries, ...] -> [boundaries, ..., 2]."""
        extra = (None,) * (offset.ndim - 1)
        at = (slice(None), *extra)
        return np.asarray(self.middle[at] + offset[..., None] * self.right[at])


def road_of(simulator: Simulator) -> Road:
    """Return the road of a simulator that has just been reset.

    Raises:
        ValueError: If the car does not stand on tile 0 with tile 1 ahead, as the definition of a lap assumes here.
    """
    if simulator.visits[:2] != [0, 1] or len(simulator.visits) > 2:
        raise ValueError(f"a lap begins on tiles 0 and 1, not on {simulator.visits}")
    track = np.array(simulator.track)[:-1]  # boundary i is where tile i ends and tile i + 1 begins
    beta = track[:, 1]
    return Road(
        middle=track[:, 2:4],
        right=np.stack([np.cos(beta), np.sin(beta)], axis=1),
        tiles=len(simulator.track),
    )


def shape(before: Jet, here: Jet, after: Jet) -> tuple[Jet, Jet]:
    """Compute curvature and length of the cells around points; a cell reaches half-way to the neighbouring points.

    Args:
        before: Point before every point, [..., 2].
        here: The points, [..., 2].
        after: Point after every point, [..., 2].

    Returns:
        Curvature, positive to the left, 1/units, and length, units, both [...].
    """
    come, go = here - before, after - here
    length = (np.sqrt((come**2).sum(axis=-1)) + np.sqrt((go**2).sum(axis=-1))) / 2
    cross = come[..., 0] * go[..., 1] - come[..., 1] * go[..., 0]
    return np.arctan(cross / (come * go).sum(axis=-1)) / length, length


def hold(offset: Jet) -> Jet:
    """Return the largest share of the grip at an offset from the middle of the road, for any heading of the car.

    Wheels beside the road have `GRASS` of their grip. Up to `all_wheels()`, every wheel can touch the road; beyond, the
    share falls linearly, and is nowhere below what some heading of the car allows.
    """
    inside = all_wheels()
    places, shares = steps()
    slope = min((1 - s) / (p - inside) for p, s in zip(places[1:], shares[1:], strict=True))
    beyond = np.sqrt(offset**2 + 1e-6) - inside  # unlike abs, keeps complex derivatives
    return np.asarray(1 - slope * np.where(beyond.real > 0, beyond, 0.0))


def steps() -> tuple[list[float], list[float]]:
    """Return the largest offsets at which 4, 3, 2 and 1 wheels can touch the road, and the shares of grip they give."""
    angles = np.linspace(-np.pi / 2, np.pi / 2, 721)
    corners = body().wheels  # [4, 4, 2]
    sideways = corners[..., 0, None] * np.cos(angles) - corners[..., 1, None] * np.sin(angles)
    inner = np.sort(sideways.min(axis=1), axis=0)  # each wheel's corner closest to the road, [4, A]
    places = [float(TRACK_WIDTH - inner[n - 1].min()) for n in (4, 3, 2, 1)]
    return places, [(n + (4 - n) * GRASS) / 4 for n in (4, 3, 2, 1)]


def all_wheels() -> float:
    """Return the largest offset at which four wheels can touch the road, units."""
    return steps()[0][0]


def widest() -> float:
    """Return the largest offset of the centre of mass at which some wheel can touch the road, units."""
    return float(TRACK_WIDTH) + body().reach
