"""What training pays, by hand; and that it never touches the score."""

from __future__ import annotations

import dataclasses

import pytest

from racing.shaping import Shaping
from racing.spec import Step, WorldSpec
from racing.world import World

SHAPING = Shaping(
    grass_penalty=1.0,
    missed_tile_penalty=20.0,
    max_missed_tiles=2,
    stuck_frames=200,
    stuck_penalty=60.0,
    crawl_penalty=2.0,
    speed_limit=80.0,
    speed_penalty=0.5,
    slip_limit=6.0,
    slip_penalty=0.5,
    reward_offset=0.0,
    reward_scale=0.1,
)
STEP = Step(
    reward=3.0,
    terminated=False,
    lap_done=False,
    truncated=False,
    frames=4,
    grass_frames=0,
    missed_tiles=0,
    idle_frames=0,
    speed=50.0,
    sideways=4.0,
)


@pytest.mark.parametrize(
    ("change", "points"),
    [
        ({}, 3.0),
        ({"reward": 9.0}, 9.0),
        ({"reward": -100.4}, -100.4),
        ({"grass_frames": 3}, 0.0),
        ({"missed_tiles": 2}, -37.0),
        ({"missed_tiles": 12}, -37.0),
        ({"speed": 84.0}, 1.0),
        ({"speed": 9.9}, 1.0),
        ({"sideways": 8.0}, 2.0),
        ({"idle_frames": 200}, -57.0),
    ],
)
def test_reward_by_hand(change: dict[str, float], points: float) -> None:
    step = dataclasses.replace(STEP, **change)  # type: ignore[arg-type]
    assert SHAPING.reward(step) == pytest.approx(points * 0.1)


def test_what_is_terminal() -> None:
    assert not SHAPING.terminal(STEP)
    assert SHAPING.terminal(dataclasses.replace(STEP, idle_frames=200))
    assert SHAPING.terminal(dataclasses.replace(STEP, terminated=True))  # left the playfield
    assert not SHAPING.terminal(dataclasses.replace(STEP, terminated=True, lap_done=True))
    assert not SHAPING.terminal(dataclasses.replace(STEP, truncated=True))


def test_an_ended_episode_is_not_stuck_as_well() -> None:
    ended = dataclasses.replace(STEP, idle_frames=500, truncated=True)
    assert not SHAPING.stuck(ended)


def test_the_score_is_the_sum_of_raw_rewards() -> None:
    world = World(WorldSpec())
    world.reset(5)
    rewards = [world.step(action) for action in (3, 3, 3, 1, 1, 1, 1, 3, 3, 3)]
    assert world.score == pytest.approx(sum(step.reward for step in rewards))
    assert sum(SHAPING.reward(step) for step in rewards) != pytest.approx(world.score)
