"""A tiny task in pixels, which the real actor, pool, replay, learner and trainer run through."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from agents.learner import Learner, LearnerSpec
from agents.td import TdError, double_q_learning
from numpy.typing import NDArray
from training.tracking.journal import Journal

import training.actors.actor
import training.actors.driving
from agents.network import NetworkSpec, build_q_network
from agents.replay import FrameStore, PrioritisedReplay, Replay, UniformReplay
from agents.schedules import Schedules, linear
from racing.actions import action_set
from racing.shaping import Shaping
from racing.spec import EndReason, Step, WorldSpec
from tests.support import networks  # noqa: F401  (sets TensorFlow up)
from training.actors.driving import ActorSpec
from training.actors.pool import LocalPool
from training.runs.checkpoint import Checkpoints
from training.settings import RunSettings
from training.trainer import Trainer

CELLS, LIMIT = 9, 30
SPEC = WorldSpec(height=8, width=CELLS, stack=2, frame_skip=1, actions="stock")
RIGHT, LEFT, GIVE_UP = 1, 2, 4


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

    def start(self, track_seed: int, look: bool = True) -> None:
        """Begin an episode."""
        self._goal = CELLS - 1 if track_seed % 2 else 0
        self._cell = 2 + track_seed // 2 % 5
        self.frames, self.score = 0, 0.0
        self.end_reason: EndReason = ""
        self.observation = np.repeat(self._picture()[None], self.spec.stack, axis=0)

    def _picture(self) -> NDArray[np.uint8]:
        picture = np.zeros((8, CELLS), np.uint8)
        picture[:, self._goal] = 120
        picture[2:6, self._cell] = 255
        return picture

    def decide(self, action: int, look: bool = True) -> Step:
        """Go a cell to the right, to the left, give up, or stay."""
        self._cell += (action == RIGHT) - (action == LEFT)
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
        self.observation = np.concatenate([self.observation[1:], self._picture()[None]])
        unused: dict[str, Any] = {f.name: 0 for f in fields(Step)}
        over = self.end_reason in ("lap", "out")
        return Step(
            **unused
            | {
                "reward": reward,
                "terminated": over,
                "truncated": self.end_reason == "time",
                "frames": 1,
            }
        )

    @property
    def lap_done(self) -> bool:
        """Whether the bright end was reached."""
        return self.end_reason == "lap"

    @property
    def tile_visited_count(self) -> int:
        """For the episode's record."""
        return self._cell


def drive_there(patch: pytest.MonkeyPatch) -> None:
    """Actors and validation drive in the corridor instead of the simulator."""
    for module in (training.actors.actor, training.actors.driving):
        patch.setattr(module, "World", Corridor)


def best_score(tracks: list[int]) -> float:
    """Mean score of who goes straight to the bright end."""
    scores = []
    for track in tracks:
        world = Corridor(SPEC)
        world.start(track)
        while not world.end_reason:
            world.decide(RIGHT if track % 2 else LEFT)
        scores.append(world.score)
    return float(np.mean(scores))


@dataclass
class Run:
    """A trainer and what it needs; call `drive_there` before it runs."""

    folder: Path
    decisions: int = 8_000
    seed: int = 1
    td_error: TdError = double_q_learning
    prioritised: bool = True
    learning_rate: float = 2e-3
    validate_every: int = 2_000
    trainer: Trainer = field(init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        settings = RunSettings(
            seed=self.seed,
            decisions=self.decisions,
            actors=2,
            cars=6,
            slots_per_tick=4,
            validate_every=self.validate_every,
            validation_tracks=10,
            checkpoint_every=960,
        )
        network = NetworkSpec(convolutions=((8, 3, 1),), dense=(32,), dueling=True)
        unused: dict[str, Any] = {f.name: 0 for f in fields(Shaping)}
        shaping = Shaping(**unused | {"stuck_frames": 10**6, "reward_scale": 0.1})
        shape = (SPEC.stack, SPEC.height, SPEC.width)
        actions = action_set(SPEC.actions)
        store = FrameStore(200, 12, shape, n_step=2, gamma=0.9)
        replay: Replay = PrioritisedReplay(store, 0.5) if self.prioritised else UniformReplay(store)
        self.trainer = Trainer(
            settings,
            ActorSpec(SPEC, SPEC, network, shaping, cars=6, retry_share=0.5),
            Learner(
                lambda: build_q_network(network, shape, len(actions), self.seed),
                self.td_error,
                LearnerSpec(32, 8, 80, 0.02, 1.0, 10.0, 1e-4),
                actions.mirror,
            ),
            replay,
            Schedules(
                epsilons=lambda decisions: np.full(12, linear(decisions, 1.0, 0.2, 3_000)),
                learning_rate=lambda updates: linear(updates, self.learning_rate, 0.0, 1_300),
                beta=lambda updates: linear(updates, 0.5, 1.0, 500),
            ),
            learn_from=240,
        )

        self.trainer.pack_best = lambda learner, facts: b"".join(
            array.tobytes() for array in learner.driving_weights().values()
        )

    @property
    def checkpoints(self) -> Checkpoints:
        return Checkpoints(self.folder / "checkpoints")

    def train(self, resume: bool = False) -> None:
        """From the beginning, or from the last whole checkpoint, to the end."""
        journal = Journal(self.folder, self.decisions)
        if resume:
            self.trainer.restore(journal, self.checkpoints)
        else:
            self.describe(journal)
        with journal:
            self.trainer.run(LocalPool(self.trainer.spec), journal, self.checkpoints)

    def describe(self, journal: Journal) -> None:
        """As the scripts do when a run begins."""
        journal.events.describe(vars(self.trainer.settings), self.trainer.learner.online)

    def last_validation(self) -> float:
        """Mean score of the averaged weights at the end, greedy."""
        with (self.folder / "validation.csv").open() as file:
            return float(list(csv.DictReader(file))[-1]["mean"])
