"""The sides of the environment benchmark: a program for each, which all drive the same scripted actions."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks.speed.turns import take_turns

FRAME_SKIP = 4
FIRST_TRACK = 1_000_000
EPISODE_FRAMES = 1000
_random = random.Random(1)
SCRIPT = [
    np.array([_random.uniform(-0.4, 0.4), _random.choice((0.0, 0.3, 0.6)), 0.0])
    for _ in range(EPISODE_FRAMES // FRAME_SKIP)
]  # (steer, gas, brake) of every decision of an episode, float64 [3]


def _next(script: Iterator[NDArray[np.float64]], world: object) -> NDArray[np.float64]:
    return next(script)


def ours(camera: Literal["fast", "official"]) -> tuple[str, Iterator[int]]:
    """Drive our environment: four frames of physics, then one image."""
    import gymnasium

    from racing.driving import drive as drive_track
    from racing.spec import WorldSpec
    from racing.world import World

    def drive() -> Iterator[int]:
        world, track = World(WorldSpec(frame_skip=FRAME_SKIP, actions=""), camera), FIRST_TRACK
        while True:
            script = iter(SCRIPT)
            yield from (m.step.frames for m in drive_track(world, track, partial(_next, script)))
            track += 1

    return f"gymnasium {gymnasium.__version__}", drive()


def gymnasium() -> tuple[str, Iterator[int]]:
    """Drive Gymnasium's CarRacing-v3 as it is: an image at every frame."""
    import gymnasium

    def drive() -> Iterator[int]:
        env, track = gymnasium.make("CarRacing-v3"), FIRST_TRACK
        while True:
            env.reset(seed=track)
            track += 1
            for control in (c for c in SCRIPT for _ in range(FRAME_SKIP)):
                _, _, terminated, truncated, _ = env.step(control)
                yield 1
                if terminated or truncated:
                    break

    return f"gymnasium {gymnasium.__version__}", drive()


def envpool() -> tuple[str, Iterator[int]]:
    """Drive EnvPool's CarRacing-v3 with one environment and one thread: an image at every frame, on its own tracks."""
    import envpool  # type: ignore[import-not-found,unused-ignore]

    def drive() -> Iterator[int]:
        env = envpool.make(
            "CarRacing-v3", env_type="gymnasium", num_envs=1, num_threads=1, seed=FIRST_TRACK
        )
        env.reset()
        while True:
            for control in (c for c in SCRIPT for _ in range(FRAME_SKIP)):
                _, _, terminated, truncated, _ = env.step(control[None].astype(np.float32))
                yield 1
                if terminated[0] or truncated[0]:
                    break
            env.reset()

    return f"envpool {envpool.__version__}", drive()


SIDES: dict[str, Callable[[], tuple[str, Iterator[int]]]] = {
    "fast": lambda: ours("fast"),
    "official": lambda: ours("official"),
    "gymnasium": gymnasium,
    "envpool": envpool,
}

if __name__ == "__main__":
    note, frames = SIDES[sys.argv[1]]()
    take_turns(note, lambda: next(frames))
