"""The fast camera draws what the official one draws, and draws it again after a restore."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from gymnasium.envs.box2d import car_racing
from numpy.typing import NDArray

from racing.actions import action_set
from racing.camera import FastCamera
from racing.gauges import GAUGE_ROWS
from racing.official_camera import OfficialCamera
from racing.simulator import Simulator
from racing.spec import CameraName, WorldSpec
from racing.vision import preprocess
from racing.world import World
from tests.support.driving import leave, pursue, random_actions

Script = Callable[[Simulator], NDArray[np.float64]]
ZOOM_FRAMES = 50  # the official camera zooms in during the first second
CONTROLS = action_set(WorldSpec().actions).table
LIMIT = 1.0  # grey levels of 255


def drive(track: int, script: Script, frames: int = 1000) -> Iterator[Simulator]:
    """The simulator after every frame."""
    simulator = Simulator()
    simulator.start(track)
    yield simulator
    terminated = False
    while not terminated and simulator.frames < frames:
        _, terminated = simulator.drive(script(simulator))
        yield simulator


def difference(official: NDArray[np.uint8], fast: NDArray[np.uint8]) -> float:
    """Mean absolute difference of two images, grey levels."""
    return float(np.abs(official.astype(int) - fast).mean())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("track", "script"),
    [
        (8, pursue),
        (21, lambda simulator: pursue(simulator, 45, sway=0.8)),
        (22, leave),
        (10_000, lambda simulator: np.array([0.0, 1.0, 0.0])),  # spins on the grass
    ],
    ids=["lap", "sway", "rim", "spin"],
)
def test_images_are_within_a_grey_level(track: int, script: Script) -> None:
    sizes = ((48, 48), (96, 96))
    cameras = [FastCamera(*size) for size in sizes]
    zoom, rim, whole = [], [], []
    for simulator in drive(track, script):
        if simulator.frames > ZOOM_FRAMES and simulator.frames % 5:
            continue
        rgb = simulator.draw()
        differences = [
            difference(preprocess(rgb, c.height, c.width), c.render(simulator)) for c in cameras
        ]
        whole.append(differences)
        if simulator.frames <= ZOOM_FRAMES:
            zoom.append(differences)
        # An image reaches about 40 world units ahead of the car.
        if max(abs(x) for x in simulator.car.hull.position) > car_racing.PLAYFIELD - 40:
            rim.append(differences)
    assert len(zoom) == ZOOM_FRAMES + 1
    assert (np.mean(whole, axis=0) <= LIMIT).all()
    assert (np.mean(zoom, axis=0) <= LIMIT).all()
    if script is leave:
        assert len(rim) >= 5
        assert (np.mean(rim, axis=0) <= LIMIT).all()


@pytest.mark.parametrize("camera", ["fast", "official"])
@pytest.mark.parametrize("size", [96, 50])
def test_without_gauges_the_road_is_still_there(camera: CameraName, size: int) -> None:
    images = []
    for gauges in False, True:
        world = World(WorldSpec(height=size, width=size, actions="", gauges=gauges), camera)
        world.reset(8)
        for _ in range(10):
            world.step(np.array([0.1, 0.5, 0.0]))
        images.append(world.render())
    blind, seen = images
    rows = GAUGE_ROWS * size // 96  # a row that road and gauges share is not counted
    assert not blind[-rows:].any()
    assert seen[-rows:].any()
    np.testing.assert_array_equal(blind[: -rows - 1], seen[: -rows - 1])


def test_another_moment_is_told_apart() -> None:
    """The measure itself sees a wrong image: that of a tenth of a second ago."""
    official, fast = OfficialCamera(48, 48), FastCamera(48, 48)
    late, past = [], []
    for simulator in drive(8, pursue, 150):
        if simulator.frames > ZOOM_FRAMES:
            late.append(fast.render(simulator))
            if len(late) > 5:
                past.append(difference(official.render(simulator), late[-6]))
    assert np.mean(past) > 2 * LIMIT


def test_an_image_does_not_depend_on_images_before() -> None:
    busy, idle = FastCamera(48, 48), FastCamera(48, 48)
    for simulator in drive(30, pursue, 200):
        seen = busy.render(simulator)
    np.testing.assert_array_equal(seen, idle.render(simulator))


def test_a_camera_follows_to_another_track() -> None:
    camera = FastCamera(48, 48)
    for track in (31, 32, 31):
        simulator = Simulator()
        simulator.start(track)
        np.testing.assert_array_equal(
            camera.render(simulator), FastCamera(48, 48).render(simulator)
        )


def test_a_used_world_is_as_good_as_a_new_one() -> None:
    """What was driven before leaves no trace: the same images and the same record, bit for bit."""
    used = World(WorldSpec())
    for track in range(20):
        fresh = World(WorldSpec())
        used.reset(40 + track)
        fresh.reset(40 + track)
        for _ in range(60):
            control = pursue(used.simulator, sway=0.9)
            action = int(np.abs(CONTROLS - control).sum(axis=1).argmin())
            assert used.step(action) == fresh.step(action)
            np.testing.assert_array_equal(used.observation, fresh.observation)


@pytest.mark.parametrize("decisions", [0, 1, 3, 4, 5, 37, 120])
def test_driving_again_restores_the_image(decisions: int) -> None:
    """As a checkpoint does it: images only at the end, in a world that was elsewhere before."""
    from training.actors.actor import CarState, drive_again

    spec = WorldSpec()
    first = World(spec)
    first.reset(1_000_007)
    actions = random_actions(first, decisions, seed=decisions)
    again = World(spec)
    again.reset(1_000_008)
    random_actions(again, 10, seed=1)
    drive_again(again, CarState(1_000_007, bytes(actions), 0.0, ended=False))
    np.testing.assert_array_equal(again.observation, first.observation)
    assert again.score == first.score
    rng = np.random.default_rng(5)
    for action in rng.integers(len(action_set(spec.actions)), size=40):
        assert again.step(int(action)) == first.step(int(action))
        np.testing.assert_array_equal(again.observation, first.observation)
