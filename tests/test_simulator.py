"""The simulator is Gymnasium's: same frames, same rewards, same end; and its record of the tiles is right."""

from __future__ import annotations

from collections.abc import Callable

import gymnasium
import numpy as np
import pytest
from driving import LAP_TRACK, centres, leave, pursue
from gymnasium.envs.box2d import car_racing
from numpy.typing import NDArray

from racing.simulator import MISSED_AT_ONCE, Simulator
from racing.vision import look
from racing.world import World, WorldSpec

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
    """Pictures only at decisions change nothing: observations, rewards, score and end are the same."""
    world = World(WorldSpec(frame_skip=SKIP, actions=""), camera="official")
    plain = gymnasium.make("CarRacing-v3")
    world.start(track)
    rgb, _ = plain.reset(seed=track)
    pictures = [look(rgb, 42, 48)] * 4
    rewards: list[float] = []
    terminated = truncated = False
    while not (terminated or truncated):
        np.testing.assert_array_equal(world.observation, np.stack(pictures[-4:]))
        control = script(world.simulator)
        step = world.decide(control)
        paid = []
        while len(paid) < SKIP and not (terminated or truncated):
            rgb, reward, terminated, truncated, _ = plain.step(control)
            paid.append(float(reward))
        rewards += paid
        pictures.append(look(rgb, 42, 48))
        assert step.reward == sum(paid)
        assert step.frames == len(paid)
        assert (step.terminated, step.truncated) == (terminated, truncated)
    np.testing.assert_array_equal(world.observation, np.stack(pictures[-4:]))
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


def touch(simulator: Simulator, tile: int) -> None:
    """Report a tile, in a frame of its own."""
    simulator.note_touch(tile, visited=True)
    simulator.drive((0.0, 0.0, 1.0))


def test_a_lap_is_noticed_at_its_last_tile(simulator: Simulator) -> None:
    terminated = False
    while not terminated:
        assert not simulator.lap_done
        _, terminated = simulator.drive(pursue(simulator))
    assert simulator.lap_done
    assert simulator.visited.all()
    assert simulator.tile_visited_count == len(simulator.track)
    assert simulator.missed == 0


def test_leaving_the_playfield_ends_without_a_lap(simulator: Simulator) -> None:
    reward, terminated = 0.0, False
    while not terminated:
        reward, terminated = simulator.drive(leave(simulator))
    assert reward == -100
    assert not simulator.lap_done
    assert max(abs(x) for x in simulator.car.hull.position) > car_racing.PLAYFIELD


def test_visited_tiles_are_those_of_the_road_bodies(simulator: Simulator) -> None:
    for _ in range(400):
        simulator.drive(pursue(simulator, sway=0.9))
        np.testing.assert_array_equal(simulator.visited, visited_flags(simulator))
    assert 20 < simulator.visited.sum() == simulator.tile_visited_count


def test_missed_tiles_equal_a_count_from_the_road_bodies(simulator: Simulator) -> None:
    """Swaying off the road leaves tiles behind; count them anew, from the flags after every frame."""
    front, settled, missed = 0, 0, 0
    tiles = len(simulator.track)
    before = visited_flags(simulator)
    for _ in range(700):
        simulator.drive(pursue(simulator, sway=0.9))
        flags = visited_flags(simulator)
        touched = np.flatnonzero(flags & ~before)
        assert len(touched) <= 2, "with more at once the order within a frame would count"
        for tile in touched:
            ahead = (int(tile) - front) % tiles
            front += ahead if ahead <= tiles // 2 else 0
        gap = flags[settled : max(front - 3, settled)]
        missed += min(int((~gap).sum()), MISSED_AT_ONCE)
        settled = max(front - 3, settled)
        before = flags
        assert simulator.missed == missed
    assert missed > 0, "the drive should leave tiles behind, or this shows nothing"


@pytest.mark.parametrize(
    ("touches", "missed"),
    [
        (range(1, 21), 0),
        ([*range(1, 11), *range(12, 14)], 0),  # 11 is 2 tiles behind: a rear wheel may touch it yet
        ([*range(1, 11), *range(12, 15)], 0),  # 3 behind
        ([*range(1, 11), *range(12, 16)], 1),
        ([*range(1, 11), 12, 13, 11, *range(14, 20)], 0),  # a late touch counts
        ([*range(1, 11), *range(13, 20)], 2),
        ([*range(1, 11), 60], MISSED_AT_ONCE),  # a short cut is one mistake
        ([*range(1, 11), 60, 61, 62], MISSED_AT_ONCE + 2),  # the tiles just behind it come by and by
        ([5, 4, 3, 2], 0),  # 5 settles what is behind 2; the others come late
        ([6, 5, 4, 3, 2], 1),  # 6 settles 2
    ],
)
def test_missed_tiles_by_hand(simulator: Simulator, touches: list[int], missed: int) -> None:
    assert set(np.flatnonzero(simulator.visited)) == {0, 1}
    for tile in touches:
        touch(simulator, tile)
    assert simulator.missed == missed


def test_driving_backwards_misses_nothing(simulator: Simulator) -> None:
    tiles = len(simulator.track)
    for tile in range(tiles - 1, tiles - 40, -1):
        touch(simulator, tile)
    assert simulator.missed == 0


def test_a_new_start_forgets(simulator: Simulator) -> None:
    for _ in range(100):
        simulator.drive(pursue(simulator))
    touch(simulator, 100)
    assert simulator.missed > 0
    simulator.start(LAP_TRACK + 1)
    fresh = Simulator()
    fresh.start(LAP_TRACK + 1)
    assert simulator.missed == 0
    assert simulator.frames == 0
    assert simulator.repainted == fresh.repainted
    np.testing.assert_array_equal(simulator.visited, fresh.visited)


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


def test_pictures_on_demand_are_the_official_ones() -> None:
    """A picture taken late shows the same as in an episode where every frame was drawn."""
    eager, lazy = Simulator(), Simulator()
    eager.start(11)
    lazy.start(11)
    for _ in range(80):
        control = pursue(eager)
        eager.drive(control)
        eager.draw()
        lazy.drive(control)
    np.testing.assert_array_equal(eager.draw(), lazy.draw())
