"""The road as a racing line meets it: where it may run, and how much of the car then holds."""

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
        middle: Of every boundary, units, [boundaries, 2]; the first is where the car stands.
        right: Unit vectors along the boundaries, to the right, [boundaries, 2].
        tiles: Of the track.
    """

    middle: Array
    right: Array
    tiles: int

    def points(self, offset: Array) -> Array:
        """Places so far right of the middle: offsets [boundaries, ...], places [boundaries, ..., 2]."""
        extra = (None,) * (offset.ndim - 1)
        at = (slice(None), *extra)
        return np.asarray(self.middle[at] + offset[..., None] * self.right[at])


def road_of(simulator: Simulator) -> Road:
    """The road of a track that was just started.

    Raises:
        ValueError: If the car does not stand on tile 0 with tile 1 ahead: then a lap is not what is assumed here.
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
    """Curvature and length of the cells about points; a cell reaches half-way to the next points.

    Args:
        before: Point before every point, [..., 2].
        here: The points, [..., 2].
        after: Point after every point, [..., 2].

    Returns:
        Curvature, to the left positive, 1/units, and length, units, both [...].
    """
    come, go = here - before, after - here
    length = (np.sqrt((come**2).sum(axis=-1)) + np.sqrt((go**2).sum(axis=-1))) / 2
    cross = come[..., 0] * go[..., 1] - come[..., 1] * go[..., 0]
    return np.arctan(cross / (come * go).sum(axis=-1)) / length, length


def hold(offset: Jet) -> Jet:
    """Share of the grip that a car has at most, so far from the middle of the road, whichever way it points.

    Wheels beside the road hold with `GRASS` of their grip. Up to `all_wheels()` every wheel can touch the road; from
    there on the share falls along the line that is nowhere below what some attitude of the car allows.
    """
    inside = all_wheels()
    places, shares = steps()
    slope = min((1 - s) / (p - inside) for p, s in zip(places[1:], shares[1:], strict=True))
    beyond = np.sqrt(offset**2 + 1e-6) - inside  # complex numbers keep their derivative
    return np.asarray(1 - slope * np.where(beyond.real > 0, beyond, 0.0))


def steps() -> tuple[list[float], list[float]]:
    """How far out n wheels can still touch the road, and the share of grip beyond: for 4, 3, 2 and 1 wheels."""
    angles = np.linspace(-np.pi / 2, np.pi / 2, 721)
    corners = body().wheels  # [4, 4, 2]
    sideways = corners[..., 0, None] * np.cos(angles) - corners[..., 1, None] * np.sin(angles)
    inner = np.sort(sideways.min(axis=1), axis=0)  # each wheel's corner nearest to the road, [4, A]
    places = [float(TRACK_WIDTH - inner[n - 1].min()) for n in (4, 3, 2, 1)]
    return places, [(n + (4 - n) * GRASS) / 4 for n in (4, 3, 2, 1)]


def all_wheels() -> float:
    """Farthest offset at which four wheels can touch the road, units."""
    return steps()[0][0]


def widest() -> float:
    """Farthest offset of the centre of mass at which some wheel can touch the road beside it, units."""
    return float(TRACK_WIDTH) + body().reach
