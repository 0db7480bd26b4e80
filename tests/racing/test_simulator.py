"""The simulator is Gymnasium's: same frames, same rewards, same end; and its record of the tiles is right."""

from __future__ import annotations

from collections.abc import Callable

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.box2d import car_racing
from numpy.typing import NDArray

from racing.simulator import Simulator
from racing.spec import WorldSpec
from racing.vision import preprocess
from racing.world import World
from tests.support.driving import LAP_TRACK, centres, leave, pursue

Script = Callable[[Simulator], NDArray[np.float64]]
SKIP = 4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("track", "script", "reason", "frames"),
    [
        (LAP_TRACK, pursue, "lap", range(600, 1000)),
        (5, leave, "out", range(100, 400)),
        (7, lambda simulator: pursue(simulator, 45, sway=0.6), "time", range(1000, 1001)),
    ],
    ids=["lap", "out", "time"],
)
def test_whole_episode_equals_plain_gymnasium(
    track: int, script: Script, reason: str, frames: range
) -> None:
    """Images only at decisions change nothing: observations, rewards, score and end are the same."""
    world = World(WorldSpec(frame_skip=SKIP, actions=""), camera="official")
    plain = gymnasium.make("CarRacing-v3")
    world.reset(track)
    rgb, _ = plain.reset(seed=track)
    images = [preprocess(rgb, 48, 48)] * 4
    rewards: list[float] = []
    terminated = truncated = False
    while not (terminated or truncated):
        np.testing.assert_array_equal(world.observation, np.stack(images[-4:]))
        control = script(world.simulator)
        step = world.step(control)
        paid: list[float] = []
        while len(paid) < SKIP and not (terminated or truncated):
            rgb, reward, terminated, truncated, _ = plain.step(control)
            paid.append(float(reward))
        rewards += paid
        images.append(preprocess(rgb, 48, 48))
        assert step.reward == sum(paid)
        assert step.frames == len(paid)
        assert (step.terminated, step.truncated) == (terminated, truncated)
    np.testing.assert_array_equal(world.observation, np.stack(images[-4:]))
    assert world.end_reason == reason
    assert world.simulator.frames == len(rewards)
    assert len(rewards) in frames
    assert world.score == pytest.approx(sum(rewards), abs=1e-9)
    simulator = plain.unwrapped
    assert isinstance(simulator, car_racing.CarRacing)
    assert world.simulator.tile_visited_count == simulator.tile_visited_count
    plain.close()


@pytest.fixture
def simulator() -> Simulator:
    simulator = Simulator()
    simulator.start(LAP_TRACK)
    return simulator


def visited_flags(simulator: Simulator) -> NDArray[np.bool_]:
    """What the simulator's own road bodies say, bool [tiles]."""
    flags = np.zeros(len(simulator.track), dtype=bool)
    for tile in simulator.road:
        flags[tile.idx] = tile.road_visited
    return flags


def test_a_lap_is_noticed_at_its_last_tile(simulator: Simulator) -> None:
    terminated = False
    while not terminated:
        assert not simulator.lap_done
        _, terminated = simulator.drive(pursue(simulator))
    assert simulator.lap_done
    assert sorted(simulator.visits) == list(range(len(simulator.track)))
    assert simulator.missed == 0


def test_leaving_the_playfield_ends_without_a_lap(simulator: Simulator) -> None:
    reward, terminated = 0.0, False
    while not terminated:
        reward, terminated = simulator.drive(leave(simulator))
    assert reward == -100
    assert not simulator.lap_done
    assert max(abs(x) for x in simulator.car.hull.position) > car_racing.PLAYFIELD


def test_visited_and_missed_tiles_are_what_the_road_bodies_say(simulator: Simulator) -> None:
    """A tile is missed that is behind the car, by where both are, and was not touched."""
    tiles, missed = centres(simulator), [0]
    for _ in range(700):
        simulator.drive(pursue(simulator, 45, sway=0.35))
        flags = visited_flags(simulator)
        assert len(simulator.visits) == simulator.tile_visited_count
        assert sorted(simulator.visits) == list(np.flatnonzero(flags))
        missed.append(simulator.missed)
        here = int(np.linalg.norm(tiles - simulator.car.hull.position, axis=1).argmin())
        if here < len(tiles) // 2:  # further on, the tiles before the start are near
            far_behind, behind = ((~flags[: max(here - m, 0)]).sum() for m in (8, 0))
            assert far_behind <= simulator.missed <= behind
    assert missed == sorted(missed)
    assert len(simulator.visits) > 100
    assert simulator.missed > 5, "the drive should leave tiles behind, or this shows nothing"


def lift(simulator: Simulator, tile: int) -> None:
    """Put the car down on a tile, along the road and at rest, and let a few frames pass."""
    _, beta, x, y = simulator.track[tile]
    hull = simulator.car.hull
    turn = beta - hull.angle
    cos, sin = np.cos(turn), np.sin(turn)
    old_x, old_y = hull.position
    for body in (hull, *simulator.car.wheels):
        dx, dy = body.position[0] - old_x, body.position[1] - old_y
        body.position = (x + cos * dx - sin * dy, y + sin * dx + cos * dy)
        body.angle += turn
        body.linearVelocity, body.angularVelocity = (0.0, 0.0), 0.0
    for _ in range(3):
        simulator.drive((0.0, 0.0, 1.0))


@pytest.mark.parametrize(
    ("tiles", "least", "most"),
    [
        (range(1, 30), 0, 0),  # every tile in turn
        ([*range(1, 15), *range(20, 30)], 1, 5),  # a gap of 5, but the car is longer than a tile
        ([*range(1, 15), 80], 6, 8),  # a short cut of 64 is one mistake, and counts as 6
        ([*range(1, 15), 80, 140], 12, 16),  # two are two
        (range(-1, -40, -1), 0, 0),  # backwards from the start
        ([*range(1, 15), 13, 12, 11, 10, *range(11, 25)], 0, 0),  # back and forth
    ],
)
def test_a_car_put_down_here_and_there(
    simulator: Simulator, tiles: list[int], least: int, most: int
) -> None:
    for tile in tiles:
        lift(simulator, tile)
        assert tile % len(simulator.track) in simulator.visits
    assert least <= simulator.missed <= most


def test_a_new_start_forgets(simulator: Simulator) -> None:
    for tile in (10, 100):
        lift(simulator, tile)
    assert simulator.missed > 0
    simulator.start(LAP_TRACK + 1)
    fresh = Simulator()
    fresh.start(LAP_TRACK + 1)
    assert (simulator.missed, simulator.frames, simulator.visits) == (0, 0, fresh.visits)
    for _ in range(150):
        control = pursue(simulator, sway=0.9)
        assert simulator.drive(control) == fresh.drive(control)
        assert simulator.visits == fresh.visits


def test_on_grass_is_where_no_wheel_is_near_the_road(simulator: Simulator) -> None:
    """Against the geometry: the distance of every wheel to the middle of the road."""
    assert not simulator.on_grass
    tiles = centres(simulator)
    middle = np.concatenate([tiles + (np.roll(tiles, -1, axis=0) - tiles) * s for s in (0, 0.5)])
    seen = set()
    for frame in range(250):
        script = pursue(simulator) if frame < 60 else leave(simulator)
        _, terminated = simulator.drive(script)
        wheels = np.array([w.position for w in simulator.car.wheels])  # [4, 2]
        distance = np.linalg.norm(wheels[:, None] - middle, axis=2).min(axis=1)  # [4]
        if distance.min() > car_racing.TRACK_WIDTH + 2:
            assert simulator.on_grass
            seen.add("grass")
        elif distance.min() < car_racing.TRACK_WIDTH - 2:
            assert not simulator.on_grass
            seen.add("road")
        if terminated:
            break
    assert seen == {"grass", "road"}


def test_images_on_demand_are_the_official_ones() -> None:
    """An image taken late shows the same as in an episode where every frame was drawn."""
    eager, lazy = Simulator(), Simulator()
    eager.start(11)
    lazy.start(11)
    for _ in range(80):
        control = pursue(eager)
        eager.drive(control)
        eager.draw()
        lazy.drive(control)
    np.testing.assert_array_equal(eager.draw(), lazy.draw())
