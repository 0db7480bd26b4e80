"""How far beside the road the car still touches it, in the real simulator."""

from __future__ import annotations

import math

import Box2D  # type: ignore[import-untyped]
import numpy as np
import pytest

from benchmarks.limit.car import GRASS
from benchmarks.limit.road import Road, all_wheels, hold, road_of, steps, widest
from racing.simulator import Simulator

TRACK = 18_003
BOUNDARY = 12  # on the straight after the start


@pytest.fixture(scope="module")
def simulator() -> Simulator:
    simulator = Simulator()
    simulator.start(TRACK)
    return simulator


def wheels_on_road(simulator: Simulator, road: Road, offset: float, yaw: float) -> int:
    """Put the car's centre of mass beside a boundary, turned by an angle, and let the simulator find the contacts."""
    car = simulator.car
    bodies = [car.hull, *car.wheels]
    along = math.atan2(road.right[BOUNDARY, 1], road.right[BOUNDARY, 0]) + yaw
    mass = sum(b.mass for b in bodies)
    centre = sum(b.mass * np.array(b.worldCenter) for b in bodies) / mass
    turn = along - car.hull.angle
    target = road.middle[BOUNDARY] + offset * road.right[BOUNDARY]
    c, s = math.cos(turn), math.sin(turn)
    for b in bodies:
        away = np.array(b.position) - centre
        place = target + np.array([c * away[0] - s * away[1], s * away[0] + c * away[1]])
        b.transform = (Box2D.b2Vec2(*map(float, place)), float(b.angle + turn))
        b.linearVelocity, b.angularVelocity = (0, 0), 0
    for _ in range(2):  # a touch is found in the step after the move
        simulator.world.Step(1e-6, 1, 1)
    return sum(bool(wheel.tiles) for wheel in car.wheels)


def test_the_bound_s_corridor_is_where_a_wheel_can_touch_the_road(simulator: Simulator) -> None:
    road = road_of(simulator)
    yaws = np.linspace(-math.pi, math.pi, 49)
    for side in (-1, 1):
        assert (
            max(wheels_on_road(simulator, road, side * (widest() - 0.1), yaw) for yaw in yaws) >= 1
        )
        assert not any(
            wheels_on_road(simulator, road, side * (widest() + 0.1), yaw) for yaw in yaws
        )


def test_the_grip_of_the_bound_is_nowhere_less_than_the_wheels_on_the_road_give(
    simulator: Simulator,
) -> None:
    road = road_of(simulator)
    assert wheels_on_road(simulator, road, all_wheels() - 0.05, 0.0) == 4
    places, _ = steps()
    for offset in (*np.arange(5.0, 9.4, 0.4), *(p - 0.03 for p in places)):
        on = max(wheels_on_road(simulator, road, offset, yaw) for yaw in np.linspace(-1.6, 1.6, 33))
        if on:
            assert (on + (4 - on) * GRASS) / 4 <= float(hold(np.array(offset))) + 1e-6


def test_a_lap_begins_on_the_tiles_that_the_road_assumes(simulator: Simulator) -> None:
    for track in (TRACK, TRACK + 1):
        simulator.start(track)
        road = road_of(simulator)
        assert len(road.middle) == road.tiles - 1
        assert np.hypot(*(road.middle[0] - simulator.car.hull.position)) < 0.1
    simulator.visits.append(5)
    with pytest.raises(ValueError, match="tiles 0 and 1"):
        road_of(simulator)
