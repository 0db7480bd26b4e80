"""The registered environment keeps Gymnasium's contract, and is our world."""

from __future__ import annotations

import copy
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.error import InvalidAction, ResetNeeded
from gymnasium.utils.env_checker import check_env

from racing.gym_env import ENV_ID, FastCarRacing
from racing.spec import WorldSpec
from racing.tracks import TEST, TRAINING, VALIDATION
from racing.world import World

SMALL: dict[str, Any] = {"height": 20, "width": 24}


@pytest.mark.parametrize("tracks", ["all", "training"])
def test_gymnasiums_checker_finds_nothing(tracks: str) -> None:
    """But our own warning: the checker seeds a reset, and then resets without a seed."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if tracks == "all":
            warnings.filterwarnings("ignore", ".*on test track")
        env = gymnasium.make(ENV_ID, render_mode="rgb_array", tracks=tracks, **SMALL)
        check_env(env.unwrapped)


def test_the_registered_environment_is_the_world() -> None:
    env = gymnasium.make(ENV_ID)
    world = World(WorldSpec())
    observation, info = env.reset(seed=12)
    world.reset(12)
    rng = np.random.default_rng(0)
    assert info["track"] == 12
    terminated = truncated = False
    while not (terminated or truncated):
        np.testing.assert_array_equal(observation, world.observation)
        action = rng.integers(7)
        observation, reward, terminated, truncated, info = env.step(action)
        step = world.step(int(action))
        assert (reward, terminated, truncated) == (step.reward, step.terminated, step.truncated)
        assert info["missed_tiles"] == step.missed_tiles
    assert info["end_reason"] == world.end_reason == "time"
    env.close()


@pytest.mark.parametrize(
    "action", [-1, 19, 2.9, 3.0, "3", None, np.array([3]), np.array([0.1, 0.5, 0.0]), np.float32(2)]
)
def test_an_action_that_is_none_raises_as_in_carracing(action: Any) -> None:
    ours, theirs = (
        FastCarRacing(**SMALL),
        gymnasium.make("CarRacing-v3", continuous=False).unwrapped,
    )
    ours.reset(seed=TRAINING.start)
    before = copy.deepcopy(ours)
    theirs.reset(seed=1)
    with pytest.raises(InvalidAction):
        ours.step(action)
    if action is not None:  # which is the reset's own there
        with pytest.raises(InvalidAction):
            theirs.step(action)
    np.testing.assert_array_equal(ours.step(np.int64(3))[0], before.step(np.int64(3))[0])


@pytest.mark.parametrize("action", [3, np.int64(3), np.int32(3), np.uint8(3), np.array(3)])
def test_whole_numbers_of_every_kind_are_actions(action: Any) -> None:
    env = FastCarRacing(**SMALL)
    env.reset(seed=TRAINING.start)
    assert env.step(action)[1] != 0


def test_step_and_render_before_reset_are_refused() -> None:
    env = FastCarRacing("rgb_array", **SMALL)
    with pytest.raises(ResetNeeded):
        env.step(np.int64(0))
    with pytest.raises(ResetNeeded):
        env.render()


def test_an_observation_that_is_changed_in_place_changes_nothing_later() -> None:
    spoilt, clean = FastCarRacing(**SMALL), FastCarRacing(**SMALL)
    seen, kept = (env.reset(seed=TRAINING.start)[0] for env in (spoilt, clean))
    for _ in range(6):
        np.testing.assert_array_equal(seen, kept)
        seen[:] = 7
        seen, kept = (env.step(np.int64(3))[0] for env in (spoilt, clean))


@pytest.mark.parametrize(("skip", "fps"), [(1, 50), (4, 12.5), (50, 1)])
def test_a_film_lasts_as_long_as_the_episode(skip: int, fps: float) -> None:
    env = gymnasium.make(ENV_ID, render_mode="rgb_array", frame_skip=skip, **SMALL)
    assert env.metadata["render_fps"] == fps
    assert FastCarRacing.metadata["render_fps"] == 50
    env.reset(seed=TRAINING.start)
    image: Any = env.render()
    assert (image.shape, image.dtype) == ((400, 600, 3), np.uint8)
    np.testing.assert_array_equal(image, env.unwrapped._world.simulator.draw_large())  # type: ignore[attr-defined]


def test_without_a_render_mode_nothing_is_rendered_and_it_says_so() -> None:
    env = FastCarRacing(**SMALL)
    env.reset(seed=TRAINING.start)
    with pytest.warns(UserWarning, match="render_mode"):
        assert env.render() is None


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"camera": "Fast"}, "camera must be fast or official, got 'Fast'"),
        ({"render_mode": "human"}, "render_mode must be rgb_array or None, got 'human'"),
        ({"tracks": "Training"}, "tracks must be all, training, validation, test, got 'Training'"),
        ({"actions": ""}, "action set must be one of brisk, stock, got ''"),
        ({"actions": None}, "actions must be the name of an action set, got None"),
        ({"frame_skip": 0}, "frame_skip must be 1 to 50 frames, got 0"),
        ({"stack": 2.0}, "whole numbers"),
        ({"height": 500}, "8x8 to 96x96"),
    ],
)
def test_what_cannot_be_is_refused_by_name(wrong: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        FastCarRacing(**wrong)


def test_a_spec_survives_json() -> None:
    env = gymnasium.make(ENV_ID, frame_skip=2, tracks="training", **SMALL)
    assert env.spec
    again = gymnasium.make(EnvSpec.from_json(env.spec.to_json()))
    first, _ = env.reset(seed=5)
    second, _ = again.reset(seed=5)
    np.testing.assert_array_equal(first, second)
    assert again.metadata["render_fps"] == 25


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
@pytest.mark.parametrize("decisions", [0, 3, 40])
def test_a_copy_is_in_the_same_place(copied: Callable[[Any], Any], decisions: int) -> None:
    """Of the episode, and of the generator that draws later tracks; neither moves the other."""
    env = gymnasium.make(ENV_ID, tracks="training", stack_spacing=2, **SMALL)
    fresh = copied(env)
    env.reset(seed=3)
    assert fresh.reset(seed=3)[1] == {"track": env.unwrapped._track}  # type: ignore[attr-defined]
    rng = np.random.default_rng(0)
    for action in rng.integers(19, size=decisions):
        env.step(action)
    twin = copied(env)
    for action in rng.integers(19, size=20):
        ours, theirs = env.step(action), twin.step(action)
        np.testing.assert_array_equal(ours[0], theirs[0])
        assert ours[1:] == theirs[1:]
    assert env.reset()[1] == twin.reset()[1]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_vectors_of_both_kinds_drive_as_single_ones(kind: str) -> None:
    options: dict[str, Any] = {"context": "spawn"} if kind == "async" else {}
    vector = gymnasium.make_vec(
        ENV_ID, 2, vectorization_mode=kind, vector_kwargs=options, tracks="training", **SMALL
    )
    single = [gymnasium.make(ENV_ID, tracks="training", **SMALL) for _ in range(2)]
    try:
        seen, info = vector.reset(seed=8)
        alone = [env.reset(seed=8 + i) for i, env in enumerate(single)]
        assert info["track"].tolist() == [i["track"] for _, i in alone]
        for action in (3, 5, 3):
            np.testing.assert_array_equal(seen, np.stack([a[0] for a in alone]))
            seen, paid, *_ = vector.step(np.array([action, action]))
            steps = [env.step(np.int64(action)) for env in single]
            assert paid.tolist() == [s[1] for s in steps]
            alone = [(s[0], s[4]) for s in steps]
    finally:
        vector.close()


@pytest.mark.parametrize(
    ("tracks", "among"), [("training", TRAINING), ("validation", VALIDATION), ("test", TEST)]
)
def test_a_seed_chooses_among_the_tracks_of_a_set(tracks: Any, among: range) -> None:
    env, again = (FastCarRacing(tracks=tracks, **SMALL) for _ in range(2))
    driven = [env.reset(seed=seed)[1]["track"] for seed in (1, 2)] + [env.reset()[1]["track"]]
    assert all(track in among for track in driven)
    assert len(set(driven)) == 3
    assert again.reset(seed=1)[1]["track"] == driven[0]


def test_a_seed_is_a_track_as_in_carracing_unless_told_otherwise() -> None:
    env, theirs = FastCarRacing(**SMALL), gymnasium.make("CarRacing-v3").unwrapped
    assert env.reset(seed=7)[1]["track"] == 7
    theirs.reset(seed=7)
    assert env._world.simulator.track == theirs.track  # type: ignore[attr-defined]
    with pytest.warns(UserWarning, match=r'on test track 7, .* tracks="training"'):
        assert env.reset()[1]["track"] in TRAINING
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env.reset()
        for seed in (0, 1, VALIDATION.start, TRAINING.start):  # as an evaluation does
            env.reset(seed=seed)
        env.reset()
