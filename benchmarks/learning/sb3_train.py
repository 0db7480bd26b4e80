"""Trains Stable-Baselines3's DQN in our fast environment; `benchmarks.learning.sb3_peer` starts this program.

It imports neither TensorFlow nor anything else that the peer's Python environment lacks.
"""

from __future__ import annotations

import csv
import io
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch  # type: ignore[import-not-found,unused-ignore]
from numpy.typing import NDArray
from stable_baselines3 import DQN  # type: ignore[import-not-found,unused-ignore]
from stable_baselines3.common.callbacks import (  # type: ignore[import-not-found,unused-ignore]
    BaseCallback,
)
from stable_baselines3.common.vec_env import (  # type: ignore[import-not-found,unused-ignore]
    SubprocVecEnv,
)

from benchmarks.speed.torch_network import sb3_policy
from racing.driving import drive_together
from racing.gym_env import ENV_ID
from racing.shaping import Shaping
from racing.spec import Step, WorldSpec
from racing.tracks import TRAINING, VALIDATION
from racing.world import World
from system.files import write_whole

COLUMNS = ["minutes", "decisions", "updates", "mean", "std", "min", "max", "laps", "episodes"]


class Shaped(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Applies our reward shaping: ends stuck episodes, and treats the same ends as terminal as our training does."""

    def __init__(self, env: gymnasium.Env[Any, Any], shaping: Shaping) -> None:
        super().__init__(env)
        self.shaping = shaping

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Make one decision; see `gymnasium.Env.step`."""
        observation, _, terminated, truncated, info = self.env.step(action)
        step = Step(**{name: info[name] for name in Step.__slots__})
        terminal = self.shaping.terminal(step)
        cut_short = (terminated or truncated) and not terminal
        return observation, self.shaping.reward(step), terminal, cut_short, info


def make_env(
    world: dict[str, Any], shaping: dict[str, Any]
) -> Callable[[], gymnasium.Env[Any, Any]]:
    """Return a function that creates the environment in its process."""
    return lambda: Shaped(gymnasium.make(ENV_ID, **world), Shaping(**shaping))


class Validation(BaseCallback):  # type: ignore[misc]
    """Drives greedily on validation tracks every few minutes; the time counts, as in our own runs."""

    def __init__(self, setup: dict[str, Any]) -> None:
        super().__init__()
        self.worlds = [World(WorldSpec(**setup["greedy_world"])) for _ in range(setup["tracks"])]
        self.every, self.limit, self.path = setup["every"], setup["minutes"], Path(setup["csv"])
        self.next = self.every
        self.rows: list[list[Any]] = [COLUMNS]

    def _on_training_start(self) -> None:
        self.began = time.monotonic()

    @property
    def minutes(self) -> float:
        """Minutes since the start of training."""
        return (time.monotonic() - self.began) / 60

    def _on_step(self) -> bool:
        if self.minutes >= min(self.next, self.limit):
            self.next += self.every
            self.validate()
        return bool(self.minutes < self.limit)

    def validate(self) -> None:
        """Drive the validation tracks, write and print the result."""
        tracks = VALIDATION[: len(self.worlds)]

        def act(observations: NDArray[np.uint8], cars: list[int]) -> NDArray[np.int64]:
            actions: NDArray[np.int64] = self.model.predict(observations, deterministic=True)[0]
            return actions

        for _ in drive_together(self.worlds, tracks, act):
            pass
        scores = np.array([w.score for w in self.worlds])
        laps = sum(w.simulator.lap_done for w in self.worlds)
        minutes = self.minutes
        std = scores.std(ddof=min(1, len(scores) - 1))
        statistics = [f"{x:.2f}" for x in (scores.mean(), std, scores.min(), scores.max())]
        counters = [f"{minutes:.3f}", self.num_timesteps, self.model._n_updates]
        self.rows.append([*counters, *statistics, laps, len(scores)])
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(self.rows)
        write_whole(self.path, text.getvalue().encode())
        print(
            f"{minutes:5.1f} min {self.num_timesteps:>8,} decisions {self.model._n_updates:>7,} updates"
            f"  validation {scores.mean():6.1f} ± {std:5.1f}  laps {laps}/{len(scores)}",
            flush=True,
        )


def main(setup: dict[str, Any]) -> None:
    """Train until the time is up."""
    torch.set_num_threads(setup["threads"])
    env = SubprocVecEnv([make_env(setup["world"], setup["shaping"])] * setup["environments"])
    model = DQN(
        "CnnPolicy",
        env,
        policy_kwargs=sb3_policy(setup["network"]),
        # Stable-Baselines3 first resets its environments with this seed, which is the track that they start on.
        seed=TRAINING.start + setup["seed"],
        device="cpu",
        **setup["dqn"],
    )
    model.learn(setup["decisions"], callback=Validation(setup))
    env.close()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
