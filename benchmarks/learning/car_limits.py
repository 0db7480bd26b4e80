"""Measures what the simulator's car can do on an endless flat road, which is the basis of the action set.

python -m benchmarks.learning.car_limits     -> results/car_limits.csv
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import Box2D  # type: ignore[import-untyped]
import tyro
from gymnasium.envs.box2d.car_dynamics import Car

from benchmarks.rows import check_writable, show, write_rows
from system.forked import ROOT

FRAME = 1 / 50  # seconds
MOMENTS = (10, 25, 40, 100)  # frames after the start, at which the car is measured


@dataclass(frozen=True)
class Options:
    """Measure how the car accelerates, brakes and turns on a flat road."""

    csv: Path = ROOT / "results" / "car_limits.csv"
    """File for the results, one row per measurement."""


class FlatRoad:
    """A car that always has road under every wheel."""

    friction: float = 1.0  # the same as that of the track's tiles

    def __init__(self) -> None:
        self._world = Box2D.b2World((0, 0))
        self.car: Any = Car(self._world, 0.0, 0.0, 0.0)
        for wheel in self.car.wheels:
            wheel.tiles.add(_Tile())

    def drive(self, steer: float, gas: float, brake: float) -> None:
        """Simulate one frame, as CarRacing's step does."""
        self.car.steer(-steer)
        self.car.gas(gas)
        self.car.brake(brake)
        self.car.step(FRAME)
        self._world.Step(FRAME, 180, 60)

    def reach(self, speed: float) -> None:
        """Set the car to a steady speed straight ahead, units/s."""
        for _ in range(400):
            self.drive(0.0, 0.55 if self.speed < speed else 0.0, 0.0)

    @property
    def speed(self) -> float:
        """Speed of the car, units/s."""
        return float(self.car.hull.linearVelocity.length)

    def measured(self) -> dict[str, str]:
        """Measure the current state; the slip angle is the angle between the car's axis and its direction of motion."""
        hull, rear = self.car.hull, self.car.wheels[2]
        way, axis = hull.linearVelocity, hull.GetWorldVector((0, 1))
        slip = math.atan2(axis[0] * way[1] - axis[1] * way[0], axis[0] * way[0] + axis[1] * way[1])
        return {
            "speed": f"{self.speed:.1f}",
            "rear_wheels": f"{rear.omega * rear.wheel_rad:.1f}",
            "sideways_acceleration": f"{self.speed * abs(hull.angularVelocity):.0f}",
            "slip_degrees": f"{math.degrees(slip):.0f}",
        }


class _Tile:
    road_friction = FlatRoad.friction


def measure(start: float, steer: float, gas: float, brake: float) -> Iterator[dict[str, str]]:
    """Hold the given controls, starting at a speed in units/s; yields a row per measurement."""
    road = FlatRoad()
    if start:
        road.reach(start)
    for frame in range(1, max(MOMENTS) + 1):
        road.drive(steer, gas, brake)
        if frame in MOMENTS:
            held = {"from_speed": f"{start:g}", "steer": f"{steer:g}", "gas": f"{gas:g}"}
            yield {**held, "brake": f"{brake:g}", "frames": str(frame)} | road.measured()


def main(options: Options) -> None:
    """Measure everything and write the results."""
    check_writable(options.csv)
    controls = [(0.0, 0.0, gas, 0.0) for gas in (0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0)]
    controls += [(100.0, 0.0, 0.0, brake) for brake in (0.2, 0.3, 0.5, 0.7, 0.8)]
    bends = product(
        (40.0, 55.0, 75.0, 85.0), (0.06, 0.12, 0.18, 0.25, 0.4, 1.0), (0.0, 0.2, 0.8, 1.0)
    )
    controls += [(start, steer, gas, 0.0) for start, steer, gas in bends]
    rows = [row for control in controls for row in measure(*control)]
    write_rows(options.csv, rows)
    show("The car on a flat road", [row for row in rows if row["frames"] == "40"])


if __name__ == "__main__":
    main(tyro.cli(Options))
