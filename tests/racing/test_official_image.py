"""The official image is Gymnasium's own, byte for byte, wherever the car is."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable

import numpy as np
import pygame
import pytest
from gymnasium.envs.box2d.car_racing import PLAYFIELD, CarRacing
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from racing.simulator import TIME_LIMIT_FRAMES, Simulator
from tests.support.driving import LAP_TRACK, leave, pursue

Script = Callable[[Simulator], NDArray[np.float64]]


def circles(simulator: Simulator) -> NDArray[np.float64]:
    """Full lock: a spin on the spot, which shows the road at every angle."""
    return np.array([1.0, 0.3, 0.0])


def at_random(simulator: Simulator) -> NDArray[np.float64]:
    """Another control at every frame, the same in every drive."""
    return np.random.default_rng(simulator.frames).uniform((-1, 0, 0), 1)


def assert_same(simulator: Simulator) -> None:
    """Against the superclass, from the same state."""
    where = f"frame {simulator.frames}"
    ours = simulator.draw()
    np.testing.assert_array_equal(ours, CarRacing._render(simulator, "state_pixels"), where)
    assert ours.dtype == np.uint8
    assert ours.flags.c_contiguous


def assert_same_large(simulator: Simulator) -> None:
    """With the marks of the tyres, at the size of films and at full size."""
    screen = pygame.surfarray.array3d(simulator.draw_screen())
    large = simulator.draw_large()
    np.testing.assert_array_equal(large, CarRacing._render(simulator, "rgb_array"))
    np.testing.assert_array_equal(screen, pygame.surfarray.array3d(simulator.surf))


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("track", "script", "seen_every"),
    [(LAP_TRACK, pursue, 3), (5, leave, 1), (7, circles, 4), (11, at_random, 4)],
    ids=["lap", "rim", "circles", "random"],
)
def test_whole_episodes_look_the_same(track: int, script: Script, seen_every: int) -> None:
    """Every frame while the camera zooms in, then every few."""
    simulator = Simulator()
    simulator.start(track)
    terminated = False
    assert_same(simulator)
    while not terminated and simulator.frames < TIME_LIMIT_FRAMES:
        _, terminated = simulator.drive(script(simulator))
        if simulator.frames < 60 or terminated or simulator.frames % seen_every == 0:
            assert_same(simulator)
        if simulator.frames % 100 == 50:
            assert_same_large(simulator)
    if script is leave:
        assert max(map(abs, simulator.car.hull.position)) > PLAYFIELD


def test_zoom_and_first_bend_look_the_same() -> None:
    simulator = Simulator()
    simulator.start(LAP_TRACK)
    for frame in range(100):
        if frame % 8 == 0:
            assert_same(simulator)
        simulator.drive(pursue(simulator))
    assert_same_large(simulator)


@pytest.fixture(scope="module")
def driven() -> Simulator:
    """Some way along a track: tiles that were visited are of another shade."""
    simulator = Simulator()
    simulator.start(LAP_TRACK)
    for _ in range(120):
        simulator.drive(pursue(simulator))
    return simulator


coordinates = st.floats(-1.1 * PLAYFIELD, 1.1 * PLAYFIELD) | st.sampled_from(
    [-PLAYFIELD, 0.0, PLAYFIELD]
)
angles = st.floats(-7.0, 7.0) | st.sampled_from([k * math.pi / 2 for k in range(-4, 5)])


@settings(max_examples=40)
@given(
    x=coordinates, y=coordinates, angle=angles, seconds=st.floats(0.0, 1.5), on_road=st.booleans()
)
def test_anywhere_at_any_angle(
    driven: Simulator, x: float, y: float, angle: float, seconds: float, on_road: bool
) -> None:
    """Also over the rim, where the world is black, and along the axes."""
    if on_road:
        _, _, x, y = driven.track[int(abs(x)) % len(driven.track)]
    driven.t = seconds
    driven.car.hull.transform = ((x, y), angle)
    assert_same(driven)


@pytest.mark.parametrize("omega", [-500.0, 380.0, 401.0, 900.0])
def test_bars_that_are_longer_than_their_strip(omega: float) -> None:
    """Of a wheel that spins: it then covers the ground."""
    simulator = Simulator()
    simulator.start(3)
    simulator.car.wheels[2].omega = omega
    assert_same(simulator)
    assert_same_large(simulator)


def test_a_new_track_is_shown_after_a_new_start() -> None:
    simulator = Simulator()
    for track in (3, 4):
        simulator.start(track)
        assert_same(simulator)


def test_images_survive_that_somebody_quits_pygame() -> None:
    simulator = Simulator()
    simulator.start(3)
    assert_same(simulator)
    for reward in (123.0, 456.0):  # scores that have not been drawn before
        pygame.quit()
        if reward > 400:
            pygame.font.init()
        simulator.reward = reward
        ours = simulator.draw()
        np.testing.assert_array_equal(ours, CarRacing._render(simulator, "state_pixels"))


def test_threads_do_not_draw_on_each_others_canvas() -> None:
    """With Gymnasium's own method they do, by the buffers that pygame's functions share."""
    simulators = [Simulator() for _ in range(4)]
    for track, simulator in enumerate(simulators):
        simulator.start(track)
    alone = [s.draw() for s in simulators]
    wrong: list[int] = []

    def draw(index: int) -> None:
        for _ in range(25):
            if not np.array_equal(simulators[index].draw(), alone[index]):
                wrong.append(index)

    threads = [threading.Thread(target=draw, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
