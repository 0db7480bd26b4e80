"""Profiles and lines against what can be worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.limit.car import limits
from benchmarks.limit.line import best_line, time_line
from benchmarks.limit.road import Road
from benchmarks.limit.speed_profile import fastest

# Without the moment in which the front wheels spin up: textbook formulas hold.
PLAIN = replace(limits(), burst=0.0)
STEP = 3.5


def road_along(course: NDArray[np.float64]) -> Road:
    """A road that goes STEP units in each of these directions, radians."""
    steps = STEP * np.stack([np.cos(course), np.sin(course)], axis=1)
    turn = (course[1:] + course[:-1]) / 2
    ways = np.concatenate([course[:1], turn, course[-1:]])
    right = np.stack([np.sin(ways), -np.cos(ways)], axis=1)
    return Road(np.concatenate([np.zeros((1, 2)), np.cumsum(steps, axis=0)]), right, len(ways) + 1)


def column(values: float | NDArray[np.float64], count: int) -> NDArray[np.float64]:
    return np.broadcast_to(np.reshape(values, (-1, 1)), (count, 1)).astype(float)


def test_a_straight_from_standstill() -> None:
    profile = fastest(column(0.0, 50), column(2.0, 50), column(1.0, 50), PLAIN)
    assert profile.total[0] == pytest.approx(np.sqrt(2 * 100 / PLAIN.forward), rel=1e-3)
    assert profile.speed[-1, 0] == pytest.approx(np.sqrt(2 * 100 * PLAIN.forward), rel=1e-3)


def test_a_circle_is_driven_at_the_speed_that_takes_all_grip() -> None:
    radius = 20.0
    profile = fastest(column(1 / radius, 400), column(1.0, 400), column(1.0, 400), PLAIN)
    steady = np.sqrt(PLAIN.grip * radius)
    assert profile.speed[200:, 0] == pytest.approx(steady, rel=1e-3)
    assert profile.total[0] - profile.time[200, 0] == pytest.approx(200 / steady, rel=1e-3)


def test_braking_for_a_bend_takes_all_grip() -> None:
    curvature = np.concatenate([np.zeros(300), np.full(20, 1 / 12)])
    profile = fastest(column(curvature, 320), column(1.0, 320), column(1.0, 320), PLAIN)
    bend = PLAIN.grip * 12
    speed = profile.speed[:301, 0]
    far = np.arange(300, -1, -1)
    braking = far < (0.8 * PLAIN.top_speed**2 - bend) / 2 / PLAIN.grip
    assert speed[braking] ** 2 == pytest.approx(bend + 2 * PLAIN.grip * far[braking], rel=1e-6)


def test_braking_within_a_bend_leaves_what_the_bend_takes() -> None:
    """Sideways and along together use the circle, at every place of a bend that gets sharper."""
    curvature = np.concatenate([np.full(400, 1 / 45), np.full(20, 1 / 15)])
    profile = fastest(column(curvature, 420), column(0.5, 420), column(1.0, 420), PLAIN)
    squared = profile.speed[300:401, 0] ** 2
    along = np.diff(squared) / 2 / 0.5
    across = (squared[1:] + squared[:-1]) / 2 / 45
    used = np.hypot(along, across)[along < -1.0]
    assert len(used) > 20
    assert used == pytest.approx(PLAIN.grip, rel=1e-3)


def test_sideways_and_push_are_each_other_s_inverse() -> None:
    for car in (limits(), replace(limits(), balanced=True)):
        push = np.linspace(0.05, 1.0, 20)
        assert car.push(car.sideways(push)) == pytest.approx(push, abs=1e-6)


def test_the_best_line_of_a_straight_is_straight() -> None:
    road = road_along(np.zeros(40))
    line = best_line(road, PLAIN, 6.0, begin=np.sin(np.arange(41) / 5) * 3 * (np.arange(41) > 0))
    assert np.abs(line.offset).max() < 0.2
    middle = time_line(road, np.zeros(41), PLAIN)
    assert line.seconds == pytest.approx(middle.seconds, rel=1e-4)


def test_the_best_line_cuts_the_corner_and_does_not_depend_on_where_it_began() -> None:
    """Out, in, out; as fast on the inside radius as theory says; the same from both sides of the road."""
    course = np.concatenate([np.zeros(20), np.linspace(0, np.pi / 2, 12), np.full(20, np.pi / 2)])
    road, count = road_along(course), len(course) + 1
    sides = [np.where(np.arange(count) > 0, side, 0.0) for side in (-3.0, 3.0)]
    lines = [best_line(road, PLAIN, 6.0, begin) for begin in sides]
    assert lines[0].seconds == pytest.approx(lines[1].seconds, abs=0.002)
    line, middle = lines[0], time_line(road, np.zeros(count), PLAIN)
    assert line.seconds < middle.seconds - 0.1
    assert np.abs(line.offset).max() <= 6.0
    apex = 20 + 6
    assert line.offset[apex] < -5.0, "a bend to the left: its inside is on the left"
    assert line.offset[:20].max() > 1.0  # slow from the start, so not far
    assert line.offset[32:].max() > 2.0
