"""Whole episodes: the loop against a world driven by hand, watched, and several cars in step."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from numpy.typing import NDArray

from racing.driving import drive, drive_together
from racing.simulator import Simulator
from racing.spec import WorldSpec
from racing.world import World
from tests.support.driving import LAP_TRACK, leave, pursue

Script = Callable[[Simulator], NDArray[np.float64]]
CONTINUOUS = WorldSpec(actions="", height=16, width=16)


def test_an_episode_is_what_a_world_driven_by_hand_does() -> None:
    world, by_hand = World(CONTINUOUS), World(CONTINUOUS)
    by_hand.reset(LAP_TRACK)
    for moment in drive(world, LAP_TRACK, lambda w: pursue(w.simulator)):
        np.testing.assert_array_equal(moment.observation, by_hand.observation)
        control = pursue(by_hand.simulator)
        np.testing.assert_array_equal(moment.action, control)
        assert moment.step == by_hand.step(control)
        np.testing.assert_array_equal(world.observation, by_hand.observation)
    assert world.end_reason == by_hand.end_reason == "lap"
    assert world.score == by_hand.score


def test_a_watched_episode_is_the_same_episode() -> None:
    """Frame by frame, with each action held, the driver sees the same and scores the same."""
    plain = World(WorldSpec(actions="", height=16, width=16, stack_spacing=2))
    watched = World(WorldSpec(actions="", height=16, width=16, stack_spacing=2, frame_skip=1))
    decisions = [m.observation for m in drive(plain, 5, lambda w: leave(w.simulator))]
    frames = [m.observation for m in drive(watched, 5, lambda w: leave(w.simulator), hold=4)]
    assert len(frames) == watched.simulator.frames == plain.simulator.frames > 100
    assert plain.end_reason == watched.end_reason == "out"
    assert watched.score == pytest.approx(plain.score, abs=1e-9)
    for decision, frame in zip(decisions, frames[::4], strict=True):
        np.testing.assert_array_equal(decision, frame)


def test_who_does_not_look_drives_the_same() -> None:
    seeing, blind = World(CONTINUOUS), World(CONTINUOUS)
    steps = [
        [m.step for m in drive(world, 5, lambda w: leave(w.simulator), render=render)]
        for world, render in ((seeing, True), (blind, False))
    ]
    assert steps[0] == steps[1]


def test_a_world_that_was_started_goes_on() -> None:
    world = World(CONTINUOUS)
    world.reset(5)
    world.step(leave(world.simulator))
    frames = [world.simulator.frames for _ in drive(world, None, lambda w: leave(w.simulator))]
    assert frames[0] == 8


def by_script(script: Script, world: World) -> NDArray[np.float64]:
    return script(world.simulator)


def test_cars_in_step_drive_as_they_do_alone() -> None:
    """They end at different times; who has ended is asked no more."""
    tracks = [5, LAP_TRACK, 7]
    scripts: list[Script] = [leave, pursue, lambda _: np.array([0.0, 0.0, 1.0])]
    worlds = [World(CONTINUOUS) for _ in tracks]
    asked: list[list[int]] = []

    def act(observations: NDArray[np.uint8], cars: list[int]) -> list[NDArray[np.float64]]:
        asked.append(cars)
        for observation, car in zip(observations, cars, strict=True):
            np.testing.assert_array_equal(observation, worlds[car].observation)
        return [scripts[car](worlds[car].simulator) for car in cars]

    seen = list(drive_together(worlds, tracks, act))
    assert [sorted(moments) for moments in seen] == asked
    for car, (track, script) in enumerate(zip(tracks, scripts, strict=True)):
        alone = World(CONTINUOUS)
        steps = [m.step for m in drive(alone, track, partial(by_script, script))]
        assert [m[car].step for m in seen if car in m] == steps
        assert (worlds[car].score, worlds[car].end_reason) == (alone.score, alone.end_reason)
    assert [w.end_reason for w in worlds] == ["out", "lap", "time"]
