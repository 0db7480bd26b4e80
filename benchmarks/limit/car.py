"""The limits of the simulator's car, derived from its bodies and constants.

The only forces on the car are those of its four wheels, each at most `FRICTION_LIMIT` on the road. Together with the
mass of all bodies, this bounds the acceleration of the centre of mass in every direction (the friction circle).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import Box2D  # type: ignore[import-untyped]
import numpy as np
from gymnasium.envs.box2d.car_dynamics import (
    ENGINE_POWER,
    FRICTION_LIMIT,
    SIZE,
    WHEEL_MOMENT_OF_INERTIA,
    WHEEL_R,
    Car,
)
from numpy.typing import NDArray

Array = NDArray[np.float64]

FRAME = 1 / 50  # seconds
TOP_SPEED = 2.0 / FRAME  # Box2D moves no body by more than 2 units per step (b2_maxTranslation)
SKIN = 0.02  # units; polygons this close count as touching in Box2D (b2_polygonRadius, twice)
GRASS = 0.6  # friction limit on grass, relative to the road
SLIP_STIFFNESS = 205_000 * SIZE * SIZE  # a wheel's force per unit/s of slip
GAS_OFFSET = 5.0  # rad/s; a wheel's engine torque is power / (its speed + this)


@dataclass(frozen=True)
class Limits:
    """The car as an accelerating point mass; in units and seconds.

    Attributes:
        grip: Largest acceleration in any direction with four wheels on the road, units/s².
        forward: Largest sustained forward acceleration, units/s².
        burst: Extra speed at the start of an acceleration, while the front wheels still have to spin up, units/s.
        burst_rate: Rate at which this extra speed is gained, 1/s.
        spin_rate: Rate at which a front wheel's spin follows the road, 1/s.
        power: Engine power per mass that it moves if all wheels grip, units²/s³; infinite if not modelled.
        power_offset: Speed that is added to the car's speed when power is converted to acceleration, units/s.
        top_speed: Largest speed, units/s.
        front_drag: Share of the rear wheels' push that goes into the front wheels' spin while the car accelerates.
        balanced: Whether the front wheels have no more lateral grip than the rear wheels (no rotation of the car).
    """

    grip: float
    forward: float
    burst: float
    burst_rate: float
    spin_rate: float
    power: float = float("inf")
    power_offset: float = 0.0
    top_speed: float = TOP_SPEED
    front_drag: float = 0.0
    balanced: bool = False

    def sideways(self, push: NDArray[Any]) -> NDArray[Any]:
        """Return the largest share of the lateral grip, given the used share (0 to 1) of the largest forward push.

        Also accepts complex numbers, whose imaginary parts carry derivatives.
        """
        rear = np.sqrt(1 - push**2)
        return np.asarray(
            rear if self.balanced else (rear + np.sqrt(1 - (self.front_drag * push) ** 2)) / 2
        )

    def push(self, sideways: Array) -> Array:
        """Return the largest share of the forward push, given the used share (0 to 1) of the lateral grip."""
        if self.balanced:
            return np.asarray(np.sqrt(1 - sideways**2))
        # Let p be the push squared, d the drag squared, s twice the share: s = sqrt(1 - p) + sqrt(1 - d p).
        d = self.front_drag**2
        s = np.maximum(2 * sideways, np.sqrt(1 - d))
        left = np.maximum(4 - s**2, 0.0)
        root = np.sqrt((2 + 2 * d) ** 2 + 4 * (1 - d) ** 2 * left / s**2)
        return np.asarray(np.sqrt(np.minimum(2 * left / (2 + 2 * d + root), 1.0)))


@dataclass(frozen=True)
class Body:
    """The bodies of the car at rest.

    Attributes:
        mass: Mass of hull and wheels.
        wheels: Corners of every wheel relative to the centre of mass, x to the right, y forward, units, [4, 4, 2].
    """

    mass: float
    wheels: np.ndarray[Any, np.dtype[np.float64]]

    @property
    def reach(self) -> float:
        """Largest distance of the centre of mass from a tile that a wheel touches, units."""
        return float(np.hypot(*self.wheels.reshape(-1, 2).T).max()) + SKIN

    @property
    def ahead(self) -> float:
        """Distance of the front wheels from the centre of mass, units."""
        return float(self.wheels[..., 1].max()) + SKIN


@cache
def body() -> Body:
    """Build the simulator's car and read its bodies."""
    car: Any = Car(Box2D.b2World((0, 0)), 0.0, 0.0, 0.0)
    bodies = [car.hull, *car.wheels]
    mass = sum(b.mass for b in bodies)
    centre = sum(b.mass * np.array(b.worldCenter) for b in bodies) / mass
    corners = [[b.GetWorldPoint(v) for v in b.fixtures[0].shape.vertices] for b in car.wheels]
    return Body(float(mass), np.array(corners) - centre)


@cache
def limits() -> Limits:
    """Return the limits of the optimistic car, which no control can exceed (docs/limit.md lists what it neglects)."""
    mass, radius = body().mass, WHEEL_R * SIZE
    spin = WHEEL_MOMENT_OF_INERTIA / radius**2  # effective mass of a wheel's spin
    push = 2 * FRICTION_LIMIT  # of the rear wheels
    follow = SLIP_STIFFNESS / spin  # of a front wheel, 1/s
    rate = 2 * SLIP_STIFFNESS / mass + follow
    forward = push / (mass + 2 * spin)
    return Limits(
        grip=4 * FRICTION_LIMIT / mass,
        forward=forward,
        burst=(push / mass - forward) / rate,
        burst_rate=rate,
        spin_rate=follow,
        front_drag=2 * spin / (mass + 2 * spin),
    )


@cache
def gripping() -> Limits:
    """Return the limits of a car without slides or drifts: the rear wheels store no spin, and grip is balanced."""
    mass, radius = body().mass, WHEEL_R * SIZE
    spin = WHEEL_MOMENT_OF_INERTIA / radius**2
    return replace(
        limits(),
        power=2 * ENGINE_POWER / (mass + 4 * spin),
        power_offset=GAS_OFFSET * radius + FRICTION_LIMIT / SLIP_STIFFNESS,
        balanced=True,
    )
