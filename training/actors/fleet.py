"""All cars of a run: their states, and the results of their last tick."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.network import Weights
from agents.replay import Trajectory, side_by_side
from racing.episode import Episode
from training.actors.actor import ActorState, first_state
from training.actors.pool import Pool
from training.actors.worker import Request


class Fleet:
    """The cars that collect experience, in actors that the pool distributes over its workers.

    Args:
        pool: Runs the actors.
        actors: Number of actors, each of `pool.spec.cars` cars.
        steps: Decisions per car and tick.
        seed: Seed of the run; the agent's generators use the first two seeds derived from it.

    Attributes:
        episodes: Episodes that ended in the last tick, each with its shaped return and its car's exploration rate.
        mean_q: Mean over the last tick's decisions of the highest action value.
    """

    def __init__(self, pool: Pool, actors: int, steps: int, seed: int) -> None:
        self._pool, self._steps = pool, steps
        _, _, *seeds = np.random.SeedSequence(seed).spawn(2 + actors)
        self._states = [first_state(pool.spec, s) for s in seeds]
        self._epsilon = np.zeros((actors, pool.spec.cars))
        self.episodes: list[tuple[Episode, float, float]] = []
        self.mean_q = 0.0

    def start(self, weights: Weights, epsilon: NDArray[np.float64]) -> None:
        """Ask every car to drive for a tick, with exploration rates float64 [actors * cars]."""
        self._epsilon = epsilon.reshape(len(self._states), -1)  # [actors, cars]
        requests = [Request(i, s, self._epsilon[i]) for i, s in enumerate(self._states)]
        self._pool.submit(requests, weights, self._steps)

    def collect(self) -> Trajectory:
        """Wait for the tick's experience and return it."""
        rollouts = self._pool.collect()
        self._states = [r.state for r in rollouts]
        self.mean_q = float(np.mean([r.mean_q for r in rollouts]))
        self.episodes = [
            (episode, shaped_return, float(rates[car]))
            for rollout, rates in zip(rollouts, self._epsilon, strict=True)
            for episode, shaped_return, car in rollout.episodes
        ]
        return side_by_side([r.trajectory for r in rollouts])

    def get_state(self) -> list[dict[str, Any]]:
        """Return the states of all actors as JSON data."""
        return [state.as_json() for state in self._states]

    def set_state(self, states: list[dict[str, Any]]) -> None:
        """Restore what `get_state` returned."""
        self._states = [ActorState.from_json(state) for state in states]
