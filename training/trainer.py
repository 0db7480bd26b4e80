"""The trainer runs an agent's training loop: it logs, validates, saves checkpoints, and stops on request.

During a tick, the cars drive with the weights from its start, while the agent learns from the replay as it was at its
start. So driving and learning overlap, and yet the result depends only on the seed and the settings.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.network import Weights
from agents.q_agent import Metrics, NotFiniteError, QAgent
from racing.episode import Episode
from racing.spec import DrivingError
from racing.tracks import VALIDATION
from system.files import write_whole
from training.actors.fleet import Fleet
from training.actors.pool import Pool
from training.runs.checkpoint import Checkpoints
from training.runs.run_folder import BEST, RunFolder
from training.stop import InterruptedTaskError, Stop
from training.tracking.run_log import Progress, RunLog

PackBest = Callable[[Weights, dict[str, Any]], bytes]


class TrainingError(RuntimeError):
    """Training cannot continue; the message says why."""


class Trainer:
    """Connects an agent with its cars, its run folder and the logs.

    Args:
        agent: The agent to train.
        pool: Drives the cars.
        run: Run folder, which the best weights are written to.
        checkpoints: Checkpoints of the run.
        log: Receives all events and metrics.
        stop: Checked between ticks.
        pack_best: Makes the content of a weight file from the best weights so far and their validation row.
    """

    def __init__(
        self,
        agent: QAgent[Any, Any],
        pool: Pool,
        run: RunFolder,
        checkpoints: Checkpoints,
        log: RunLog,
        stop: Stop,
        pack_best: PackBest,
    ) -> None:
        s = agent.settings
        self.agent, self.settings, self._pool = agent, s, pool
        self._run, self._checkpoints, self._log, self._stop = run, checkpoints, log, stop
        self._pack_best = pack_best
        self.fleet = Fleet(pool, s.cars // s.cars_per_actor, s.steps_per_tick, s.seed)
        self.seconds = 0.0  # of training, summed over resumed runs
        self.best_score = -math.inf
        self._best = b""  # the result of pack_best
        self._validated_at = 0  # decisions
        self._without_best = 0  # validations since the best

    def train(self) -> None:
        """Train until all decisions are made or a stop is requested; a checkpoint is written before the first tick.

        Raises:
            TrainingError: If something is NaN or infinite; the last checkpoint is from before that.
        """
        try:
            if not self._checkpoints.steps():
                self.save()
            saved_at = self.agent.decisions
            self._validate_if_due()
            began, before = time.monotonic(), self.agent.decisions
            ready = self._stop.asked or self._is_good_enough
            ticks = iter(() if ready else self.agent.train(self.fleet))
            deadline = began + 3600 * self.settings.hours if self.settings.hours else math.inf
            for metrics in ticks:
                self.seconds += time.monotonic() - began
                self._log_tick(metrics, before, time.monotonic() - began)
                if self._passed(self.settings.checkpoint_every, before) or self._is_done:
                    self.save()  # before validation, which can be repeated on resuming
                    saved_at = self.agent.decisions
                self._validate_if_due()
                if time.monotonic() > deadline:
                    self._stop.ask()
                if self._stop.asked or self._is_good_enough:
                    break
                began, before = time.monotonic(), self.agent.decisions
            if self.agent.decisions != saved_at:
                self.save()
        except (DrivingError, NotFiniteError) as e:
            raise self._error(str(e)) from None

    def _error(self, problem: str) -> TrainingError:
        return TrainingError(
            f"after {self.agent.decisions:,} decisions and {int(self.agent.updates):,} updates: {problem};"
            " the last checkpoint and the best weights are kept"
        )

    @property
    def _is_done(self) -> bool:
        done: bool = self.agent.decisions >= self.settings.decisions
        return done

    @property
    def _is_good_enough(self) -> bool:
        """Whether until_score or patience ends training; this does not depend on wall-clock time."""
        wanted, patience = self.settings.until_score, self.settings.patience
        return bool(wanted and self.best_score >= wanted) or 0 < patience <= self._without_best

    def _passed(self, every: int, before: int) -> bool:
        return self.agent.decisions // every > before // every

    def _log_tick(self, metrics: Metrics, before: int, seconds: float) -> None:
        """Log the finished episodes, the speed, and, if there were updates, a point of every curve."""
        agent, log, now = self.agent, self._log, self.agent.decisions
        for episode, shaped_return, epsilon in self.fleet.episodes:
            log.episode(now, episode, shaped_return, epsilon)
        updates = self.settings.learning.updates_per_tick if metrics else 0
        speed = (now - before) / seconds
        if metrics:
            store = agent.replay.store
            epsilon = self.settings.exploration.epsilon(before, self.settings.cars)
            curves = {f"learning/{name}": value for name, value in metrics.items()} | {
                "learning/q": self.fleet.mean_q,
                "learning/epsilon": float(epsilon.mean()),
                "learning/replay_fill": min(store.written / store.length, 1),
                "speed/decisions_per_second": speed,
                "speed/updates_per_second": updates / seconds,
            }
            log.scalars(now, curves)
        total = self.settings.decisions
        log.progress(Progress("training", now, total, log.training_score, speed, updates / seconds))

    def _validate_if_due(self) -> None:
        last = self._is_done and self._validated_at < self.agent.decisions
        if last or self._passed(self.settings.validate_every, self._validated_at):
            with contextlib.suppress(InterruptedTaskError):  # a resumed run repeats it
                self.validate()

    def validate(self) -> None:
        """Drive greedily with the averaged weights on the validation tracks; keep the weights if they are the best.

        Raises:
            InterruptedTaskError: If a stop interrupted it; its results are then discarded.
            TrainingError: If something is NaN or infinite.
        """
        began = time.monotonic()
        tracks = list(VALIDATION[: self.settings.validation_tracks])

        def on_progress(done: int, total: int) -> None:
            done = done * len(tracks) // total
            self._log.progress(Progress("validating", done, len(tracks), self._log.training_score))

        on_progress(0, 1)
        weights = self.agent.actor_weights()
        self._check_finite(weights)  # ReLU hides NaN: the Q-values would look valid
        with self._stop.interruptible():
            drive = self._pool.validate(weights, tracks, on_progress)
        seconds = self.seconds + time.monotonic() - began
        row = validation_row(self.agent.decisions, int(self.agent.updates), seconds, drive.episodes)
        if not math.isfinite(row["mean"]):
            raise self._error(f"the mean of the validation scores is {row['mean']}")
        self.seconds, self._validated_at = seconds, self.agent.decisions
        self._log.validation(row, self.best_score)
        self._log.film(row["decisions"], "driving/film", drive.film)
        self._without_best += 1
        if row["mean"] > self.best_score:
            self._without_best = 0
            self.best_score = row["mean"]
            self._best = self._pack_best(weights, row)
            self._keep_best()

    def _keep_best(self) -> None:
        write_whole(self._run.path / BEST, self._best)

    def save(self) -> None:
        """Write a checkpoint, if all its arrays are finite.

        Raises:
            TrainingError: If they are not.
            OSError: If it cannot be written.
        """
        began = time.monotonic()
        arrays = self.agent.get_state()
        self._check_finite(arrays)
        arrays["best"] = np.frombuffer(self._best, np.uint8)
        generators = self.agent.generators.items()
        state = {
            "decisions": self.agent.decisions,
            "seconds": self.seconds,
            "validated_at": self._validated_at,
            "without_best": self._without_best,
            "best_score": self.best_score if math.isfinite(self.best_score) else None,
            **{name: rng.bit_generator.state for name, rng in generators},
            "actors": self.fleet.get_state(),
            "journal": self._log.get_state(),
        }
        self._checkpoints.save(self.agent.decisions, state, arrays, self.agent.replay.store)
        self.seconds += time.monotonic() - began
        self._log.checkpoint(self.agent.decisions, time.monotonic() - began)

    def _check_finite(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        for name, array in arrays.items():
            if not np.isfinite(array).all():
                raise self._error(f"{name} contains NaN or infinity")

    def restore(self) -> None:
        """Restore the newest intact checkpoint.

        Raises:
            CheckpointError: If there is none.
        """
        state, arrays = self._checkpoints.load_newest(self.agent.replay.store, self._log.notify)
        self._best = arrays.pop("best").tobytes()
        self.agent.set_state(arrays)
        self.seconds, self._validated_at = state["seconds"], state["validated_at"]
        self._without_best = state.get("without_best", 0)  # older checkpoints lack it
        if state["best_score"] is not None:
            self.best_score = state["best_score"]
            self._keep_best()
        for name, rng in self.agent.generators.items():
            rng.bit_generator.state = state[name]
        self.fleet.set_state(state["actors"])
        self._log.set_state(state["journal"])


def validation_row(
    decisions: int, updates: int, seconds: float, episodes: list[Episode]
) -> dict[str, Any]:
    """Summarise greedy episodes on validation tracks as a row of validation.csv."""
    scores = np.array([e.score for e in episodes])
    return {
        "decisions": decisions,
        "updates": updates,
        "seconds": round(seconds, 1),
        "mean": round(float(scores.mean()), 2),
        "std": round(float(scores.std(ddof=min(1, len(scores) - 1))), 2),
        "min": float(scores.min()),
        "max": float(scores.max()),
        "laps": sum(e.laps for e in episodes),
        "episodes": len(episodes),
    }
