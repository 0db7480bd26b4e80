"""What an agent meets: stacks, decisions of several frames, ends."""

from __future__ import annotations

import math

import numpy as np
import pytest

from racing.actions import action_set
from racing.simulator import Simulator
from racing.spec import IMAGE_HEIGHT, IMAGE_WIDTH, CameraName, DrivingError, WorldSpec
from racing.vision import preprocess
from racing.world import World
from tests.support.driving import LAP_TRACK, leave, pursue, random_actions

EVERY = len(action_set(WorldSpec().actions))  # of the actions
STAY = np.array([0.0, 0.0, 1.0])


def test_the_first_image_fills_the_stack() -> None:
    world = World(WorldSpec(stack=3, height=30, width=40))
    world.reset(1)
    assert world.observation.dtype == np.uint8
    assert world.observation.shape == (3, 30, 40)
    for image in world.observation:
        np.testing.assert_array_equal(image, world.render())


def test_stacks_hold_the_last_images_oldest_first() -> None:
    world = World(WorldSpec(stack=3))
    world.reset(1)
    images = [world.render()] * 3
    for action in (3, 3, 1, 0, 2, 3):
        world.step(action)
        images.append(world.render())
        np.testing.assert_array_equal(world.observation, np.stack(images[-3:]))


@pytest.mark.parametrize("frames", [1, 2, 4])
def test_who_decides_more_often_sees_the_same(frames: int) -> None:
    seldom = World(WorldSpec(height=20, width=24))
    often = World(seldom.spec.deciding_every(frames))
    for world in (seldom, often):
        world.reset(3)
    rng = np.random.default_rng(0)
    for action in rng.integers(EVERY, size=40):
        seldom.step(int(action))
        for _ in range(4 // frames):
            step = often.step(int(action))
            assert step.frames == frames
        np.testing.assert_array_equal(seldom.observation, often.observation)
    assert often.score == pytest.approx(seldom.score)


@pytest.mark.parametrize("frames", [0, 3, 8])
def test_images_cannot_be_taken_between_decisions(frames: int) -> None:
    with pytest.raises(ValueError, match=rf"divide frame_skip \(4\), got {frames}"):
        WorldSpec().deciding_every(frames)


def test_an_observation_that_was_given_away_does_not_change() -> None:
    world = World(WorldSpec())
    world.reset(1)
    before = world.observation
    copy = before.copy()
    world.step(3)
    np.testing.assert_array_equal(before, copy)


@pytest.mark.parametrize("skip", [1, 4, 7])
def test_a_decision_is_so_many_frames_of_one_action(skip: int) -> None:
    world = World(WorldSpec(frame_skip=skip))
    world.reset(3)
    by_hand = Simulator()
    by_hand.start(3)
    score = 0.0
    for action in (3, 3, 5, 0, 4, 6, 3):
        step = world.step(action)
        rewards = [by_hand.drive(action_set("brisk").table[action])[0] for _ in range(skip)]
        score += sum(rewards)
        assert step.reward == sum(rewards)
        assert step.frames == skip
        assert world.simulator.car.hull.position == by_hand.car.hull.position
        assert world.score == pytest.approx(score, abs=1e-9)
        assert step.speed == pytest.approx(float(np.hypot(*by_hand.car.hull.linearVelocity)))


@pytest.mark.parametrize(("skip", "decisions", "last"), [(4, 250, 4), (7, 143, 6), (50, 20, 50)])
def test_time_is_up_after_1000_frames(skip: int, decisions: int, last: int) -> None:
    world = World(WorldSpec(actions="", frame_skip=skip))
    world.reset(2)
    steps = []
    while not world.end_reason:
        steps.append(world.step(STAY, render=False))
    assert len(steps) == decisions
    assert [s.frames for s in steps] == [skip] * (decisions - 1) + [last]
    assert [s.truncated for s in steps] == [False] * (decisions - 1) + [True]
    assert not any(s.terminated for s in steps)
    assert world.end_reason == "time"
    assert world.simulator.frames == 1000


def test_a_lap_terminates_within_a_decision() -> None:
    world = World(WorldSpec(actions="", frame_skip=50))
    world.reset(LAP_TRACK)
    simulator = world.simulator
    while simulator.tile_visited_count < len(simulator.track) - 1:
        simulator.drive(pursue(simulator))
    last = world.step(pursue(simulator), render=False)
    assert last.terminated
    assert not last.truncated
    assert last.frames < 50
    assert world.end_reason == "lap"
    assert len(simulator.visits) == len(simulator.track)


def test_leaving_the_playfield_terminates() -> None:
    world = World(WorldSpec(actions=""))
    world.reset(2)
    while not world.end_reason:
        step = world.step(leave(world.simulator), render=False)
    assert world.end_reason == "out"
    assert (step.terminated, step.truncated) == (True, False)
    assert step.reward < -99
    assert not world.simulator.lap_done


def test_frames_without_a_new_tile_are_counted() -> None:
    world = World(WorldSpec(actions=""))
    world.reset(2)
    assert [world.step(STAY, render=False).idle_frames for _ in range(3)] == [4, 8, 12]
    tiles, idle, most = world.simulator.tile_visited_count, 12, 0
    for _ in range(60):
        step = world.step(pursue(world.simulator), render=False)
        new = world.simulator.tile_visited_count > tiles
        tiles = world.simulator.tile_visited_count
        assert step.idle_frames < 4 if new else step.idle_frames == idle + 4
        idle, most = step.idle_frames, max(most, step.idle_frames)
    world.reset(2)
    assert world.step(STAY, render=False).idle_frames == 4
    assert most > 12
    assert tiles > 20


def test_grass_and_missed_tiles_add_up_to_the_simulators() -> None:
    world = World(WorldSpec(actions="", frame_skip=4))
    world.reset(3)
    by_hand = Simulator()
    by_hand.start(3)
    grass = missed = 0
    for _ in range(150):
        control = pursue(by_hand, sway=0.9)
        step = world.step(control, render=False)
        on_grass = 0
        for _ in range(4):
            by_hand.drive(control)
            on_grass += by_hand.on_grass
        assert step.grass_frames == on_grass
        grass, missed = grass + step.grass_frames, missed + step.missed_tiles
    assert missed == by_hand.missed > 0
    assert grass > 0


def test_a_new_start_is_a_new_episode() -> None:
    used, fresh = World(WorldSpec()), World(WorldSpec())
    used.reset(6)
    random_actions(used, 300, seed=0)
    assert used.end_reason == "time"
    used.reset(7)
    fresh.reset(7)
    assert (used.score, used.end_reason, used.simulator.frames) == (0.0, "", 0)
    assert used.step(3) == fresh.step(3)


@pytest.mark.parametrize(
    "wrong",
    [
        {"stack": 0},
        {"stack": 17},
        {"frame_skip": 0},
        {"frame_skip": 51},
        {"stack_spacing": 0},
        {"height": 7},
        {"width": IMAGE_WIDTH + 1},
        {"height": IMAGE_HEIGHT + 1},
        {"actions": "hasty"},
        {"actions": None},
        {"stack": True},
        {"stack": 4.0},
    ],
)
def test_a_world_that_cannot_be_is_refused_by_name(wrong: dict[str, int]) -> None:
    [(name, value)] = wrong.items()
    names = {
        "height": "image",
        "width": "image",
        "actions": "action set",
        "stack": "stack|whole numbers",
    }
    with pytest.raises(ValueError, match=f"{names.get(name, name)}.*{value}"):
        WorldSpec(**wrong)  # type: ignore[arg-type]


def test_a_camera_that_is_none_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="camera must be fast or official, got 'Fast'"):
        World(WorldSpec(), "Fast")  # type: ignore[arg-type]


def test_what_an_agent_sees_is_grey_averaged_and_without_its_score() -> None:
    rgb = np.zeros((96, 96, 3), np.uint8)
    rgb[:84, :48] = (255, 0, 0)  # grey 76
    rgb[:84, 48:] = (0, 255, 0)  # grey 150
    rgb[84:, :11] = 255  # the score
    rgb[0, 0] = 255
    seen = preprocess(rgb, 48, 48)
    assert seen[0, 0] == round((255 + 3 * 76) / 4)
    assert set(np.unique(seen[:42, :24])) == {76, seen[0, 0]}
    assert set(np.unique(seen[:42, 24:])) == {150}
    assert not seen[42:].any()


@pytest.mark.parametrize("camera", ["fast", "official"])
@pytest.mark.parametrize("what", ["linearVelocity", "position"])
def test_physics_that_explodes_is_noticed_at_once(camera: CameraName, what: str) -> None:
    """A car that is nowhere touches every tile within two frames, which would pay a lap."""
    world = World(WorldSpec(), camera)
    world.reset(7)
    world.step(3)
    score = world.score
    setattr(world.simulator.car.hull, what, (math.nan, math.nan))
    with pytest.raises(DrivingError, match="on track 7, frame 6, the car's speed is nan"):
        world.step(3)
    assert world.score == score
