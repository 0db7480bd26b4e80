"""Measures the difference between the images of the fast and the official camera, over whole episodes.

python -m benchmarks.speed.camera
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from numpy.typing import NDArray

from benchmarks.rows import check_writable, show, write_rows
from evaluation.drivers import acting, load_driver
from racing.driving import Act, drive
from racing.official_camera import OfficialCamera
from racing.spec import WorldSpec
from racing.tracks import VALIDATION
from racing.world import World
from system.exits import exit_with_error

MODEL = Path("models/ddqn.safetensors")
GUIDE = "guide"
STRAIGHT = "straight to the rim"
ZOOM_FRAMES = 50  # the camera zooms in during the first second
STEER_TILES, BEND_TILES = 5, 12  # look-ahead of the guide
SPEED, BEND_SPEED = 65.0, 35.0  # of the guide, units/s; and how much less per radian of bend


@dataclass(frozen=True)
class Options:
    """Measure the mean absolute difference between the two cameras' images, in grey levels."""

    tracks: int = 12
    """Number of validation tracks; each is driven to the end, and once more straight ahead to the edge of the world."""
    driver: str = str(MODEL) if MODEL.exists() else GUIDE
    """A weight file, pid, random, or guide, which knows the road and follows its middle."""
    csv: Path = Path("results/camera_difference.csv")
    """File for the results, one row per episode."""


def guide(world: World) -> NDArray[np.float64]:
    """Steer towards a tile ahead, and slow down before bends."""
    car = world.simulator.car
    assert car is not None
    x, y = car.hull.position
    middle = np.array(
        [(tile_x, tile_y) for _, _, tile_x, tile_y in world.simulator.track]
    )  # [n, 2]
    nearest = int(((middle - (x, y)) ** 2).sum(axis=1).argmin())
    cos, sin = np.cos(car.hull.angle), np.sin(car.hull.angle)

    def bearing(tiles_ahead: int) -> float:
        right, up = middle[(nearest + tiles_ahead) % len(middle)] - (x, y)
        return float(np.arctan2(cos * right + sin * up, cos * up - sin * right))

    steer = 0.8 * bearing(STEER_TILES)
    too_slow = SPEED - BEND_SPEED * abs(bearing(BEND_TILES)) - car.hull.linearVelocity.length
    gas = np.clip(0.05 * too_slow, 0.0, 0.5 if abs(steer) < 0.3 else 0.1)
    return np.array([np.clip(steer, -1.0, 1.0), gas, np.clip(-0.03 * too_slow, 0.0, 0.6)])


def straight(world: World) -> NDArray[np.float64]:
    """Drive straight ahead, across the grass, to the edge of the world."""
    return np.array([0.0, 0.1, 0.0])


def compare(name: str, spec: WorldSpec, decide: Act, track: int) -> dict[str, str]:
    """Drive one episode and return its row."""
    world = World(dataclasses.replace(spec, frame_skip=1))
    official = OfficialCamera(spec.height, spec.width)
    differences: list[float] = []

    def compare_now() -> None:
        seen = world.render().astype(np.int16)  # [H, W]
        differences.append(float(np.abs(seen - official.render(world.simulator)).mean()))

    world.reset(track)
    compare_now()
    for _ in drive(world, None, decide, hold=spec.frame_skip):
        compare_now()
    return {
        "driver": name,
        "track": str(track),
        "frames": str(len(differences)),
        "end_reason": world.end_reason,
        "mean_difference": f"{np.mean(differences):.4f}",
        "zoom_in_difference": f"{np.mean(differences[:ZOOM_FRAMES]):.4f}",
        "worst_difference": f"{max(differences):.4f}",
        "worst_frame": str(int(np.argmax(differences))),
    }


def summary(name: str, rows: list[dict[str, str]]) -> dict[str, str]:
    """Summarise episodes; every frame has the same weight."""
    frames = [int(row["frames"]) for row in rows]
    worst = max(rows, key=lambda row: float(row["worst_difference"]))
    return {
        "driven by": name,
        "episodes": str(len(rows)),
        "mean": f"{np.average([float(r['mean_difference']) for r in rows], weights=frames):.3f}",
        f"first {ZOOM_FRAMES} frames": f"{np.mean([float(r['zoom_in_difference']) for r in rows]):.3f}",
        "worst frame": f"{float(worst['worst_difference']):.3f}",
        "of track": f"{worst['track']}, frame {worst['worst_frame']}",
    }


def main(options: Options) -> None:
    """Drive, compare the images, write and print the results."""
    if not 1 <= options.tracks <= len(VALIDATION):
        exit_with_error(f"tracks must be 1 to {len(VALIDATION)}, got {options.tracks}")
    check_writable(options.csv)
    name, continuous = options.driver, WorldSpec(actions="")
    try:
        driver = None if name == GUIDE else load_driver(name)
    except ValueError as e:
        exit_with_error(e)
    rows = []
    for track in VALIDATION[: options.tracks]:
        if driver is None:
            rows.append(compare(name, continuous, guide, track))
        else:
            rows.append(compare(name, driver.world, acting(driver.policy(track)), track))
        rows.append(compare(STRAIGHT, continuous, straight, track))
    groups = [summary(g, [row for row in rows if row["driver"] == g]) for g in (name, STRAIGHT)]
    write_rows(options.csv, rows)
    show("Fast against official camera, grey levels of 255", [*groups, summary("all", rows)])


if __name__ == "__main__":
    main(tyro.cli(Options))
