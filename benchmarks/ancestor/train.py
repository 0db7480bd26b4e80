"""Trains with the recipes of the ancestor and tests on the same tracks, to compare it with this project.

python -m benchmarks.ancestor.train --recipe DDQN2 --minutes 60
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import tyro
from annotated_types import Ge, Interval, Unit

from agents.backend import keras, set_up_tensorflow
from benchmarks.ancestor.recipes import (
    ACTIONS,
    EPSILON_DECAY,
    EPSILON_END,
    FRAMES_PER_ACTION,
    RECIPES,
    TARGET_UPDATE_PERIOD,
    Learner,
    Patience,
    Recipe,
    Replay,
    Transition,
    see,
)
from benchmarks.rows import check_writable, write_rows
from evaluation.evaluation import summary_line
from evaluation.scores import write_episodes
from racing.driving import drive
from racing.episode import Episode, finished
from racing.spec import WorldSpec
from racing.tracks import TEST, VALIDATION, draw_training_track
from racing.world import World
from system.exits import exit_with_error
from training.settings import check
from training.trainer import validation_row

Minutes = Annotated[float, Interval(ge=0.01, le=10_000)]


@dataclass(frozen=True)
class Options:
    """Train with a recipe of the ancestor until the time is up, then drive the test tracks with the best weights."""

    recipe: Literal["DQN", "DDQN1", "DDQN2"] = "DDQN2"
    """The recipe."""
    seed: Annotated[int, Ge(0)] = 1
    """Random seed."""
    minutes: Minutes = 60.0
    """Wall-clock limit of training, including validation."""
    validate_every: Minutes = 5.0
    """Minutes between two greedy drives on validation tracks; the best weights are kept."""
    validation_tracks: Annotated[int, Interval(ge=1, le=len(VALIDATION)), Unit("tracks")] = 10
    """Number of validation tracks."""
    test_episodes: Annotated[int, Interval(ge=1, le=len(TEST)), Unit("tracks")] = 50
    """Number of test tracks that the best weights drive at the end."""
    csv: Path | None = None
    """File for the test episodes; by default results/scores/ancestor-RECIPE.csv."""
    curve: Path | None = None
    """File for the validations; by default results/ancestor_RECIPE.csv."""


class Training:
    """A training run with one of the recipes."""

    def __init__(self, recipe: Recipe, seed: int) -> None:
        keras.utils.set_random_seed(seed)  # the initial weights
        self.recipe, self.learner, self.replay = recipe, Learner(recipe), Replay(recipe)
        self._rng = np.random.default_rng(seed)
        self._world = World(
            WorldSpec(stack=1, frame_skip=FRAMES_PER_ACTION, actions=""), "official"
        )
        self.epsilon = 1.0
        self.decisions = self.updates = self.episodes = 0

    def drive_episode(self) -> None:
        """Drive one training episode and learn during it."""
        world, patience, over = self._world, Patience(self.recipe), False
        world.reset(draw_training_track(self._rng), render=False)
        observation = see(world.simulator.draw(), self.recipe)
        while not over and not world.end_reason:
            if self._rng.random() < self.epsilon:
                action = int(self._rng.integers(len(ACTIONS)))
            else:
                action = self.learner.best_action(observation)
            step = world.step(ACTIONS[action], render=False)
            rgb = world.simulator.draw()
            seen = see(rgb, self.recipe)
            paid = float(np.clip(step.reward, *self.recipe.clip))
            ended = (
                step.terminated or step.truncated
            )  # it took the time limit for an end like others
            self.replay.transitions.append(Transition(observation, action, paid, seen, ended))
            self._learn()
            over = patience.is_over(step.reward, world.score, world.simulator.on_grass, rgb)
            observation = seen
            self.decisions += 1
        self.episodes += 1
        if self.episodes % TARGET_UPDATE_PERIOD == 0:
            self.learner.update_target()

    def _learn(self) -> None:
        if len(self.replay.transitions) < self.recipe.batch_size:
            return
        self.learner.learn(self.replay.sample(self._rng))
        self.updates += 1
        self.epsilon = max(EPSILON_END, self.epsilon * EPSILON_DECAY)


def drive_greedily(learner: Learner, recipe: Recipe, track: int) -> Episode:
    """Drive a whole episode with one frame per action and the official camera, without early termination."""
    world = World(WorldSpec(stack=1, frame_skip=1, actions=""), "official")

    def act(world: World) -> Any:
        return ACTIONS[learner.best_action(see(world.simulator.draw(), recipe))]

    for _ in drive(world, track, act, render=False):
        pass
    return finished(world, track)


def train(options: Options, curve: Path) -> Training:
    """Train until the time is up; the learner then has the weights with the best validation."""
    training = Training(RECIPES[options.recipe], options.seed)
    best_mean, best = -np.inf, training.learner.online.get_weights()
    rows: list[dict[str, Any]] = []
    began, due = time.monotonic(), options.validate_every * 60
    while not rows or time.monotonic() - began < options.minutes * 60:
        training.drive_episode()
        seconds = time.monotonic() - began
        if seconds < min(due, options.minutes * 60):
            continue
        due += options.validate_every * 60
        tracks = VALIDATION[: options.validation_tracks]
        episodes = [drive_greedily(training.learner, training.recipe, t) for t in tracks]
        seconds, name = time.monotonic() - began, f"{training.episodes:,} episodes"
        row = validation_row(training.decisions, training.updates, seconds, episodes)
        rows.append(row)
        write_rows(curve, rows)
        print(f"{seconds / 60:5.1f} min  {summary_line(name, episodes)}", flush=True)
        if row["mean"] > best_mean:
            best_mean, best = row["mean"], training.learner.online.get_weights()
    training.learner.online.set_weights(best)
    return training


def main(options: Options) -> None:
    """Train, test, write and print the results."""
    o = options
    stem = o.recipe.lower()
    csv = o.csv or Path("results/scores") / f"ancestor-{stem}.csv"
    curve = o.curve or Path("results") / f"ancestor_{stem}.csv"
    try:
        check(o)
    except ValueError as e:
        exit_with_error(e)
    check_writable(csv)
    check_writable(curve)
    set_up_tensorflow(threads=1, device="cpu")
    t = train(o, curve)
    episodes = [drive_greedily(t.learner, t.recipe, track) for track in TEST[: o.test_episodes]]
    write_episodes(csv, episodes)
    print(summary_line(f"the ancestor's {o.recipe} after {o.minutes:g} minutes", episodes))


if __name__ == "__main__":
    main(tyro.cli(Options))
