"""A tiny task in pixels, which the real actors, pool, replay, agent and trainer run through."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

import DDQN
import DQN
from agents.q_agent import QAgent
from racing.shaping import Shaping
from racing.spec import EndReason, Step, WorldSpec
from racing.world import World
from tests.support import networks  # noqa: F401  (sets TensorFlow up)
from training.runs.run_folder import RunFolder
from training.session import MakeWorld, Outcome, train
from training.settings import RunSettings, changed
from training.stop import Stop
from training.tracking.run_log import Progress, Sink

CELLS, LIMIT = 9, 30
RIGHT, LEFT, GIVE_UP = 1, 2, 4
TICK = 48  # decisions
SETTINGS: dict[str, Any] = {f.name: 0 for f in fields(Shaping)} | {
    "height": 8,
    "width": CELLS,
    "stack": 2,
    "frame_skip": 1,
    "greedy_frame_skip": 1,
    "actions": "stock",
    "retry_share": 0.5,
    "max_missed_tiles": 1,
    "stuck_frames": 10**6,
    "reward_scale": 0.1,
    "decisions": 2880,  # three checkpoints
    "cars": 12,
    "cars_per_actor": 6,
    "workers": 0,
    "device": "cpu",
    "steps_per_tick": 4,
    "validate_every": 2_000,
    "validation_tracks": 10,
    "checkpoint_every": 960,
    "test_episodes": 0,
    "convolutions": ((8, 3, 1),),
    "dense": (32,),
    "dueling": True,
    "replay_capacity": 2400,
    "learning_starts": 240,
    "batch_size": 32,
    "n_step": 2,
    "gamma": 0.9,
    "updates_per_tick": 8,
    "target_update_period": 80,
    "learning_rate": 2e-3,
    "learning_rate_end": 0,
    "learning_rate_updates": 1_300,
    "huber_delta": 1.0,
    "ema_rate": 0.02,
    "epsilon_base": 0.2,
    "epsilon_exponent": 0,
    "epsilon_decisions": 3_000,
}


class Corridor:
    """A dot in a corridor. The bright end pays 10, the dark one costs 10, a step costs 0.1, giving up pays 1.

    It looks like a `World`: which end is bright and where the dot begins follows from the track seed. From most
    places the bright end is further away than a return reaches: what it pays must be handed back from value to value,
    or giving up looks better.
    """

    def __init__(self, spec: WorldSpec) -> None:
        self.spec = spec
        self.simulator = self
        self.track = [None] * CELLS

    def reset(self, track_seed: int, render: bool = True) -> None:
        """Begin an episode."""
        self._goal = CELLS - 1 if track_seed % 2 else 0
        self._cell = 2 + track_seed // 2 % 5
        self.frames, self.score = 0, 0.0
        self.end_reason: EndReason = ""
        self.observation = np.repeat(self._image()[None], self.spec.stack, axis=0)

    def _image(self) -> NDArray[np.uint8]:
        image = np.zeros((8, CELLS), np.uint8)
        image[:, self._goal] = 120
        image[2:6, self._cell] = 255
        return image

    def step(self, action: int, render: bool = True) -> Step:
        """Go a cell to the right, to the left, give up, or stay."""
        self._cell += int(action == RIGHT) - int(action == LEFT)
        self.frames += 1
        reward = -0.1
        if self._cell in (0, CELLS - 1):
            won = self._cell == self._goal
            self.end_reason = "lap" if won else "out"
            reward += 10 if won else -10
        elif action == GIVE_UP:
            self.end_reason = "out"
            reward += 1
        elif self.frames == LIMIT:
            self.end_reason = "time"
        self.score += reward
        self.observation = np.concatenate([self.observation[1:], self._image()[None]])
        return Step(
            reward=reward,
            terminated=self.end_reason in ("lap", "out"),
            truncated=self.end_reason == "time",
            frames=1,
            grass_frames=0,
            missed_tiles=0,
            idle_frames=0,
            speed=0.0,
            sideways=0.0,
        )

    @property
    def lap_done(self) -> bool:
        """Whether the bright end was reached."""
        return self.end_reason == "lap"

    @property
    def tile_visited_count(self) -> int:
        """For the episode's record."""
        return self._cell


def as_world(corridor: Corridor) -> World:
    """The corridor, typed as a world."""
    return cast(World, corridor)


def make_corridor(spec: WorldSpec) -> World:
    """A `make_world` for a run."""
    return as_world(Corridor(spec))


def dqn(runs: Path, **settings: Any) -> DQN.Settings:
    """Settings of a run of DQN in the corridor."""
    return changed(DQN.Settings(), **SETTINGS | {"runs": runs} | settings)


def ddqn(runs: Path, **settings: Any) -> DDQN.Settings:
    """Settings of a run of DDQN in the corridor."""
    more = {"beta_start": 0.5, "beta_updates": 500}
    return changed(DDQN.Settings(), **SETTINGS | more | {"runs": runs} | settings)


def drive_there(
    settings: RunSettings,
    agent: type[QAgent[Any, Any]] | None = None,
    *,
    run: Path | None = None,
    sinks: Sequence[Sink] = (),
    stop: Stop | None = None,
    make_world: MakeWorld = make_corridor,
) -> Outcome:
    """Train in the corridor; go on with a run if its folder is given."""
    folder = RunFolder(run) if run else None
    return train(settings, agent, run=folder, sinks=sinks, stop=stop, make_world=make_world)


class StopAt(Stop, Sink):
    """Asks for a stop when so many decisions are made; hand it over as both."""

    def __init__(self, decisions: int) -> None:
        super().__init__()
        self._decisions = decisions

    def progress(self, progress: Progress) -> None:
        """Called after every tick."""
        if progress.phase == "training" and progress.done >= self._decisions:
            self.ask()


class MessageRecorder(Sink):
    """Keeps every message of a run."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def notify(self, text: str) -> None:
        """One line."""
        self.lines.append(text)

    def worker_lost(self, text: str) -> None:
        """One line."""
        self.lines.append(text)


def best_score(tracks: list[int]) -> float:
    """Mean score of who goes straight to the bright end."""
    scores = []
    for track in tracks:
        world = Corridor(ddqn(Path()).view.world())
        world.reset(track)
        while not world.end_reason:
            world.step(RIGHT if track % 2 else LEFT)
        scores.append(world.score)
    return float(np.mean(scores))


def last_validation(run: Path) -> float:
    """Mean score of the averaged weights at the end, greedy."""
    with (run / "validation.csv").open() as file:
        return float(list(csv.DictReader(file))[-1]["mean"])
