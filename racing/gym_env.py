"""The fast world as a registered Gymnasium environment: `import racing.gym_env`, then `CarRacingFast-v3`."""

from __future__ import annotations

from typing import Any, Literal, get_args

import gymnasium
import numpy as np
from gymnasium.envs.box2d.car_racing import FPS
from gymnasium.error import InvalidAction, ResetNeeded
from numpy.typing import NDArray

from racing.actions import action_set
from racing.registration import ENV_ID as ENV_ID
from racing.registration import register_envs
from racing.spec import CameraName, WorldSpec
from racing.tracks import TEST, TRAINING, VALIDATION, draw_training_track
from racing.world import World

TrackSet = Literal["all", "training", "validation", "test"]
_SETS = {"training": TRAINING, "validation": VALIDATION, "test": TEST}


class FastCarRacing(gymnasium.Env[NDArray[np.uint8], np.int64]):
    """CarRacing-v3's physics, tracks and rewards, with the fast camera, a frame skip and discrete actions.

    Observations are uint8 [K, H, W], oldest image first; the caller owns the array. `info` contains the fields of
    `racing.spec.Step`, which shaping needs. `render` returns Gymnasium's own image, RGB [400, 600, 3].

    `reset(seed=1)` IS TEST TRACK 1, unless `tracks` says otherwise: as in CarRacing-v3, the seed determines the track,
    so that results can be compared between the two. Seeds 0 to 9999 are the test tracks, 10000 to 19999 the validation
    tracks. Training libraries seed the first reset themselves (Stable-Baselines3 with `seed=0`). To train, make the
    environment with `tracks="training"`: a seed then still makes everything reproducible, but only training tracks
    are used. If a reset without a seed follows one that was seeded with a test track, as in training, there is a
    warning.

    A copy (`copy.deepcopy`, `pickle`) is in the same state of the same episode: it repeats the actions so far.

    Args:
        render_mode: None or `rgb_array`.
        camera: `fast` or `official`.
        tracks: The set that resets draw from, with a generator that the seed initialises: `training`, `validation`
            or `test`; or `all`: a seed is a track, and resets without a seed draw training tracks.
        spec: Fields of `racing.spec.WorldSpec`.

    Raises:
        ValueError: If an argument is invalid; the message names it.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": FPS}  # noqa: RUF012

    def __init__(
        self,
        render_mode: str | None = None,
        camera: CameraName = "fast",
        tracks: TrackSet = "all",
        **spec: Any,
    ) -> None:
        if render_mode is not None and render_mode not in self.metadata["render_modes"]:
            raise ValueError(f"render_mode must be rgb_array or None, got {render_mode!r}")
        if tracks not in get_args(TrackSet):
            raise ValueError(f"tracks must be {', '.join(get_args(TrackSet))}, got {tracks!r}")
        self.world_spec = WorldSpec(**spec)
        self.render_mode, self.camera, self.tracks = render_mode, camera, tracks
        self._world = World(self.world_spec, camera)
        self._track: int | None = None
        self._actions: list[int] = []  # of this episode
        self._seed_was_a_test_track = False
        shape = (self.world_spec.stack, self.world_spec.height, self.world_spec.width)
        self.observation_space = gymnasium.spaces.Box(0, 255, shape, np.uint8)
        self.action_space = gymnasium.spaces.Discrete(len(action_set(self.world_spec.actions)))
        # A film has one image per decision, and should play at the speed of the episode.
        self.metadata = {**self.metadata, "render_fps": FPS / self.world_spec.frame_skip}

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.uint8], dict[str, Any]]:
        """Start an episode; the docstring of the class says on which track."""
        super().reset(seed=seed)
        self._track, self._actions = self._choose_track(seed), []
        self._world.reset(self._track)
        return self._world.observation.copy(), {"track": self._track}

    def _choose_track(self, seed: int | None) -> int:
        if self.tracks != "all":
            among = _SETS[self.tracks]
            return int(self.np_random.integers(among.start, among.stop))
        if seed is None:
            if self._seed_was_a_test_track:
                gymnasium.logger.warn(
                    f"{ENV_ID}: the episode before this one was on test track {self._track}, because"
                    ' a seed is a track; to train, make the environment with tracks="training"'
                )
            self._seed_was_a_test_track = False
            return draw_training_track(self.np_random)
        self._seed_was_a_test_track = seed in TEST
        return int(seed)

    def step(self, action: np.int64) -> tuple[NDArray[np.uint8], float, bool, bool, dict[str, Any]]:
        """Make one decision.

        Raises:
            InvalidAction: If the action is not in the action space.
            ResetNeeded: If `reset` was not called before.
        """
        if self._track is None:
            raise ResetNeeded("call reset before step")
        if not self.action_space.contains(action):
            raise InvalidAction(
                f"the action {action!r} is not in the action space {self.action_space}"
            )
        self._actions.append(int(action))
        step = self._world.step(int(action))
        info: dict[str, Any] = {name: getattr(step, name) for name in step.__slots__}
        if step.terminated or step.truncated:
            info["end_reason"] = self._world.end_reason
        observation = self._world.observation.copy()
        return observation, step.reward, step.terminated, step.truncated, info

    def render(self) -> NDArray[np.uint8] | None:
        """Draw Gymnasium's image for films, RGB, uint8 [400, 600, 3]; returns None without a render mode."""
        if self.render_mode is None:
            gymnasium.logger.warn('nothing is rendered without render_mode="rgb_array"')
            return None
        if self._track is None:
            raise ResetNeeded("call reset before render")
        return self._world.simulator.draw_large()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_world"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._world = World(self.world_spec, self.camera)
        if self._track is not None:
            self._world.reset(self._track)
            seen_from = len(self._actions) - self.world_spec.history
            for i, action in enumerate(self._actions):
                self._world.step(action, render=i >= seen_from)


register_envs()
