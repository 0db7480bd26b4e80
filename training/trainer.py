"""The trainer: one loop, whose round is a tick.

While the actors drive with the weights of the tick's beginning, the learner makes its updates from the replay as it
was then. So learning and driving overlap, and still the result depends on nothing but the seed and the settings.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.learner import Learned, Learner
from agents.replay import Replay, side_by_side
from agents.schedules import Schedules
from racing.tracks import VALIDATION
from racing.world import DrivingError
from training.actors.actor import ActorState, first_state
from training.actors.driving import ActorSpec
from training.actors.pool import ActorPool, Request
from training.memory import refuse_trainer_that_does_not_fit
from training.runs.checkpoint import Checkpoints
from training.settings import RunSettings
from training.tracking.journal import Journal
from training.tracking.telling import tell_driving, tell_learning, tell_validation, validation_facts


class TrainingError(RuntimeError):
    """Training cannot go on, and why."""


class ValidationGivenUpError(Exception):
    """Somebody does not want to wait for it."""


class Trainer:
    """Everything that a run consists of.

    Args:
        settings: Of the run.
        spec: Of its actors.
        learner: Learns.
        replay: Remembers.
        schedules: What changes.
        learn_from: Decisions to collect before the first update.

    Raises:
        ValueError: If a tick is longer than the replay, or its batches are larger than the memory.

    Attributes:
        pack_best: Makes a file of the learner's averaged weights, when they drove better than all before.
        stop_asked: Whether `stop` was called.
    """

    def __init__(
        self,
        settings: RunSettings,
        spec: ActorSpec,
        learner: Learner,
        replay: Replay,
        schedules: Schedules,
        learn_from: int,
    ) -> None:
        refuse_trainer_that_does_not_fit(settings, spec, learner.spec, replay.store)
        self.settings, self.spec, self.schedules = settings, spec, schedules
        self.learner, self.replay = learner, replay
        self._learn_from = learn_from
        self.pack_best: Callable[[Learner, dict[str, Any]], bytes] = lambda learner, facts: b""
        sampling, mirror, *actors = np.random.SeedSequence(settings.seed).spawn(2 + settings.actors)
        self._sampling_rng = np.random.default_rng(sampling)
        self._mirror_rng = np.random.default_rng(mirror)
        self._actors: list[ActorState] = [first_state(spec, seed) for seed in actors]
        self.decisions = 0
        self.seconds = 0.0  # of training, resumed runs added up
        self.best_score = -math.inf
        self._best = b""  # what pack_best made
        self._validated_at = 0  # decisions
        self._validating = False
        self.stop_asked = False

    def run(self, pool: ActorPool, journal: Journal, checkpoints: Checkpoints) -> None:
        """Train until the decisions are made, or until `stop`; a checkpoint is there from the first moment on.

        Raises:
            TrainingError: If something is not a finite number; the last checkpoint is then from before.
        """
        try:
            if not checkpoints.steps():
                self.save(journal, checkpoints)
            saved_at = self.decisions
            while not self.stop_asked and (self._validation_is_due() or not self._is_done()):
                if self._validation_is_due():
                    self.validate(pool, journal)
                    continue
                began, before = time.monotonic(), self.decisions
                self.tick(pool, journal)
                self.seconds += time.monotonic() - began
                if self._passed(self.settings.checkpoint_every, before) or self._is_done():
                    self.save(journal, checkpoints)  # before validation, which may be done again
                    saved_at = self.decisions
            if self.decisions != saved_at:
                self.save(journal, checkpoints)
        except DrivingError as e:
            raise self._error(str(e)) from None

    def stop(self) -> None:
        """End the run after the present tick; a validation is given up and made again by who resumes."""
        self.stop_asked = True
        if self._validating:
            raise ValidationGivenUpError

    def _error(self, problem: str) -> TrainingError:
        return TrainingError(
            f"after {self.decisions:,} decisions and {self.learner.updates:,} updates: {problem};"
            " the last checkpoint and the best weights are kept"
        )

    def _is_done(self) -> bool:
        return self.decisions >= self.settings.decisions

    def _validation_is_due(self) -> bool:
        last = self._is_done() and self._validated_at < self.decisions
        return last or self._passed(self.settings.validate_every, self._validated_at)

    def _passed(self, every: int, before: int) -> bool:
        return self.decisions // every > before // every

    def tick(self, pool: ActorPool, journal: Journal) -> None:
        """One round of driving and learning."""
        began = time.monotonic()
        epsilons = self.schedules.epsilons(self.decisions).reshape(self.settings.actors, -1)
        requests = [Request(i, s, epsilons[i]) for i, s in enumerate(self._actors)]
        pool.start(requests, self.learner.driving_weights(), self.settings.slots_per_tick)
        learned = self._learn() if self._known_transitions() >= self._learn_from else None
        rollouts = pool.finish()
        self._actors = [r.state for r in rollouts]
        self.replay.extend(side_by_side([r.trajectory for r in rollouts]))
        decisions = sum(r.trajectory.action.size for r in rollouts)
        self.decisions += decisions
        seconds = time.monotonic() - began
        updates = self.learner.spec.updates_per_call if learned else 0
        tell_driving(journal, self.decisions, rollouts, epsilons)
        if learned is not None:
            others = {
                "learning/learning_rate": self.schedules.learning_rate(self.learner.updates),
                "learning/beta": self.schedules.beta(self.learner.updates),
                "learning/epsilon": float(epsilons.mean()),
                "learning/replay_fill": min(self.replay.store.written / self.replay.store.slots, 1),
                "speed/decisions_per_second": decisions / seconds,
                "speed/updates_per_second": updates / seconds,
            }
            tell_learning(journal, self.decisions, learned, rollouts, others)
        journal.progress(self.decisions, decisions / seconds, updates / seconds)

    def _known_transitions(self) -> int:
        return self.replay.store.newest * self.replay.store.environments

    def _learn(self) -> Learned:
        updates, spec = self.learner.updates, self.learner.spec
        beta = self.schedules.beta(updates)
        batch = self.replay.sample(spec.updates_per_call, spec.batch_size, beta, self._sampling_rng)
        learned = self.learner.learn(batch, self.schedules.learning_rate(updates), self._mirror_rng)
        if not math.isfinite(learned.loss) or not math.isfinite(learned.gradient_norm):
            raise self._error(
                f"in the last {spec.updates_per_call} updates the mean loss is {learned.loss}"
                f" and the gradient's mean norm {learned.gradient_norm}"
            )
        self.replay.update_priorities(batch.index, learned.td_error)
        return learned

    def validate(self, pool: ActorPool, journal: Journal) -> None:
        """Drive greedily with the averaged weights on validation tracks; keep them if they are the best."""
        began = time.monotonic()
        tracks = list(VALIDATION[: self.settings.validation_tracks])
        weights = self.learner.driving_weights()
        self._refuse_what_is_no_number(weights)  # relu hides it: the values would look like values
        try:
            self._validating = True
            if self.stop_asked:
                return
            drives = pool.validate(weights, tracks)
            self._validating = False
        except ValidationGivenUpError:
            self._validating = False
            return
        self._validated_at = self.decisions
        episodes = [e for drive in drives for e in drive.episodes]
        self.seconds += time.monotonic() - began
        facts = validation_facts(self.decisions, self.learner.updates, self.seconds, episodes)
        if not math.isfinite(facts["mean"]):
            raise self._error(f"the mean of the validation scores is {facts['mean']}")
        tell_validation(journal, facts, self.best_score, drives[0].film)
        if facts["mean"] > self.best_score:
            self.best_score = facts["mean"]
            self._best = self.pack_best(self.learner, facts)
            journal.keep_best(self._best)

    def save(self, journal: Journal, checkpoints: Checkpoints) -> None:
        """Write a checkpoint, if all in it is a number.

        Raises:
            TrainingError: If it is not.
            OSError: If the disk does not take it.
        """
        began = time.monotonic()
        arrays = {f"learner/{k}": v for k, v in self.learner.get_state().items()}
        arrays |= {f"replay/{k}": v for k, v in self.replay.get_state().items()}
        self._refuse_what_is_no_number(arrays)
        arrays["best"] = np.frombuffer(self._best, np.uint8)
        state = {
            "decisions": self.decisions,
            "seconds": self.seconds,
            "validated_at": self._validated_at,
            "best_score": self.best_score if math.isfinite(self.best_score) else None,
            "sampling_rng": self._sampling_rng.bit_generator.state,
            "mirror_rng": self._mirror_rng.bit_generator.state,
            "actors": [a.as_json() for a in self._actors],
            "journal": journal.get_state(),
        }
        checkpoints.save(self.decisions, state, arrays, self.replay.store)
        self.seconds += time.monotonic() - began

    def _refuse_what_is_no_number(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        for name, array in arrays.items():
            if not np.isfinite(array).all():
                raise self._error(f"{name} is not finite")

    def restore(self, journal: Journal, checkpoints: Checkpoints) -> None:
        """Go back to the last checkpoint that is whole.

        Raises:
            CheckpointError: If none is.
        """
        state, arrays = checkpoints.load_newest(self.replay.store, journal.say)

        def part(prefix: str) -> dict[str, NDArray[Any]]:
            return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}

        self.learner.set_state(part("learner/"))
        self.replay.set_state(part("replay/"))
        self.decisions, self.seconds = state["decisions"], state["seconds"]
        best = state["best_score"]
        self.best_score = -math.inf if best is None else best
        self._best, self._validated_at = arrays["best"].tobytes(), state["validated_at"]
        if best is not None:
            journal.keep_best(self._best)
        self._sampling_rng.bit_generator.state = state["sampling_rng"]
        self._mirror_rng.bit_generator.state = state["mirror_rng"]
        self._actors = [ActorState.from_json(a) for a in state["actors"]]
        journal.set_state(state["journal"])
