"""The simulator's car stays within the limits that the bound is built on, and reaches them."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.learning.car_limits import FlatRoad
from benchmarks.limit.bound import frames_of
from benchmarks.limit.car import FRAME, TOP_SPEED, limits
from benchmarks.limit.speed_profile import fastest


def momentum(road: FlatRoad) -> tuple[float, float]:
    """Of all bodies per mass: the velocity of the centre of mass."""
    bodies = [road.car.hull, *road.car.wheels]
    mass = sum(b.mass for b in bodies)
    vx, vy = (sum(b.mass * b.linearVelocity[k] for b in bodies) / mass for k in (0, 1))
    return float(vx), float(vy)


def test_no_control_accelerates_the_car_more_than_the_friction_circle() -> None:
    rng = np.random.default_rng(0)
    road, seen = FlatRoad(), 0.0
    for begin in range(40):
        if begin % 4 == 0:
            road = FlatRoad()
            road.reach(20.0 + 2 * begin)
        control = rng.uniform((-1, 0, -0.5), (1, 1, 1))
        for _ in range(10):
            before = momentum(road)
            road.drive(control[0], control[1], max(0.0, control[2]))
            seen = max(seen, float(np.hypot(*np.subtract(momentum(road), before))) / FRAME)
    assert 0.9 * limits().grip < seen < 1.001 * limits().grip


def test_full_gas_from_standstill_is_the_profile_of_a_straight() -> None:
    road = FlatRoad()
    cell = np.full((200, 1), 0.5)
    profile = fastest(np.zeros_like(cell), cell, np.ones_like(cell), limits())
    for frame in range(1, 91):
        road.drive(0.0, 1.0, 0.0)
        if frame in (25, 40, 60, 90):
            planned = np.interp(frame * FRAME, profile.time[:, 0], profile.speed[:, 0])
            assert road.speed == pytest.approx(planned, rel=0.02)
            assert road.speed <= planned + 0.1


def test_a_straight_takes_the_frames_that_its_seconds_mean() -> None:
    """Not more, and at most one less than the simulator needs to find the touch at its end."""
    road, frames = FlatRoad(), 0
    cell = np.full((100, 1), 0.6)
    seconds = fastest(np.zeros_like(cell), cell, np.ones_like(cell), limits()).total[0]
    while road.car.hull.position[1] < 60.0:
        road.drive(0.0, 1.0, 0.0)
        frames += 1
    assert 0 <= frames + 1 - frames_of(float(seconds)) <= 1


def test_the_car_never_exceeds_the_top_speed() -> None:
    road = FlatRoad()
    for _ in range(250):
        road.drive(0.0, 1.0, 0.0)
    assert 0.99 * TOP_SPEED < road.speed <= TOP_SPEED + 1e-3
