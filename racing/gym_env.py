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

    Observations are uint8 [K, H, W], oldest image first; each is the caller's own. `info` has what shaping needs
    (see `racing.world.Step`). Films are Gymnasium's own, RGB [400, 600, 3].

    `reset(seed=1)` IS TEST TRACK 1, unless `tracks` says otherwise: as in CarRacing-v3, a seed is a road, so that the
    same seed can be compared here and there. Seeds 0 to 9999 are the test tracks, 10000 to 19999 the validation
    tracks. Libraries that train seed the first reset by themselves (Stable-Baselines3 with `seed=0`). To train, make
    the environment with `tracks="training"`: then a seed still makes everything repeatable, but only training tracks
    are driven. A seeded test track that is followed by resets without a seed, as when training, causes a warning.

    A copy (`copy.deepcopy`, `pickle`) is in the same place of the same episode: it drives there again.

    Args:
        render_mode: None or `rgb_array`.
        camera: `fast` or `official`.
        tracks: Which ones resets lead to: `training`, `validation` or `test`, drawn by a generator that the seed
            sets; or `all`: a seed is a track, and resets without a seed draw training tracks.
        spec: Fields of `racing.world.WorldSpec`.

    Raises:
        ValueError: If an argument cannot be, naming it.
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
        # A film has an image per decision, and is to last as long as the episode.
        self.metadata = {**self.metadata, "render_fps": FPS / self.world_spec.frame_skip}

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.uint8], dict[str, Any]]:
        """Start on a track: see the class for which one."""
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
        """One decision.

        Raises:
            InvalidAction: If it is not in the action space.
            ResetNeeded: Before the first reset.
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
        """Gymnasium's image for films, RGB, uint8 [400, 600, 3]; None where no render mode was chosen."""
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
