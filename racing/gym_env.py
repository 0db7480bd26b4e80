"""The fast world as a registered Gymnasium environment: `import racing.gym_env`, then `CarRacingFast-v3`."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from racing.actions import action_set
from racing.registration import ENV_ID as ENV_ID
from racing.registration import register_envs
from racing.spec import CameraName, WorldSpec
from racing.tracks import draw_training_track
from racing.world import World


class FastCarRacing(gymnasium.Env[NDArray[np.uint8], np.int64]):
    """CarRacing-v3's physics, tracks and rewards, with the fast camera, a frame skip and discrete actions.

    Observations are uint8 [K, H, W], oldest picture first. `reset(seed=n)` gives track n, as in CarRacing-v3;
    later resets without a seed draw training tracks. To train elsewhere and never see a test track, seed the first
    reset from `racing.tracks.TRAINING`. `info` has what shaping needs (see `racing.world.Step`).
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 50}  # noqa: RUF012

    def __init__(
        self, render_mode: str | None = None, camera: CameraName = "fast", **spec: Any
    ) -> None:
        self.world_spec = WorldSpec(**spec)
        self.render_mode = render_mode
        self._world = World(self.world_spec, camera)
        shape = (self.world_spec.stack, self.world_spec.height, self.world_spec.width)
        self.observation_space = gymnasium.spaces.Box(0, 255, shape, np.uint8)
        self.action_space = gymnasium.spaces.Discrete(len(action_set(self.world_spec.actions)))

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.uint8], dict[str, Any]]:
        """Start on a track."""
        super().reset(seed=seed)
        track = draw_training_track(self.np_random) if seed is None else seed
        self._world.start(track)
        return self._world.observation, {"track": track}

    def step(self, action: np.int64) -> tuple[NDArray[np.uint8], float, bool, bool, dict[str, Any]]:
        """One decision."""
        step = self._world.decide(int(action))
        info: dict[str, Any] = {name: getattr(step, name) for name in step.__slots__}
        if step.terminated or step.truncated:
            info["end_reason"] = self._world.end_reason
        return self._world.observation, step.reward, step.terminated, step.truncated, info

    def render(self) -> NDArray[np.uint8]:
        """The official picture, uint8 [96, 96, 3]."""
        return self._world.simulator.draw()


register_envs()
