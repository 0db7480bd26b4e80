"""The table of the car's limits in docs/limit.md, computed from its bodies and measured on a flat road."""

from __future__ import annotations

from pathlib import Path

from benchmarks.limit.car import FRAME, GRASS, TOP_SPEED, body, limits
from benchmarks.limit.road import all_wheels, steps, widest
from system.csv_files import read_csv

STEADY = 100  # frames of constant controls until the car's turn is steady
GRIPS = 3.0  # degrees of slip angle, up to which the car counts as gripping


def car_table(measured: Path) -> str:
    """Make a table of the model's limits and the measured ones from results/car_limits.csv, in Markdown.

    Raises:
        ValueError: If the file lacks required rows.
    """
    rows = read_csv(measured)
    speeds = {
        tuple(float(row[k]) for k in ("from_speed", "steer", "gas", "brake", "frames")): float(
            row["speed"]
        )
        for row in rows
    }
    try:
        forward = (speeds[0, 0, 1, 0, 40] - speeds[0, 0, 1, 0, 25]) / 15 / FRAME
        braking = max(100 - speeds[100, 0, 0, b, 10] for b in (0.5, 0.7, 0.8)) / 10 / FRAME
        sideways = max(
            float(r["sideways_acceleration"])
            for r in rows
            if abs(float(r["slip_degrees"])) < GRIPS and int(r["frames"]) == STEADY
        )
    except KeyError as e:
        raise ValueError(f"{measured} has no row {e}") from None
    car = limits()
    places, shares = steps()
    wheels = ", ".join(
        f"{n} to {place:.2f} ({share:.0%})"
        for n, place, share in zip((4, 3, 2, 1), places, shares, strict=True)
    )
    return "\n".join(
        [
            "| limit | model | measured |",
            "|---|---|---|",
            f"| mass, units of the simulator | {body().mass:.3f} | |",
            f"| grip in any direction, units/s² | {car.grip:.1f} | braking {braking:.0f}, sideways {sideways:.0f} |",
            f"| lasting acceleration forward, units/s² | {car.forward:.1f} | {forward:.1f} |",
            f"| speed gained at once when it begins, units/s | {car.burst:.2f} | |",
            f"| top speed, units/s | {TOP_SPEED:.0f} | {max(speeds.values()):.1f} |",
            f"| grip on grass, of that on the road | {GRASS:.0%} | |",
            f"| all wheels can touch the road up to, units from the middle | {all_wheels():.2f} | |",
            f"| some wheel can, the corridor of the bound | {widest():.2f} | |",
            "",
            f"Wheels that can touch the road up to a distance from its middle, units, and the grip left: {wheels}.",
        ]
    )
