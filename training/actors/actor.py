"""An actor: N cars that drive in lockstep. A rollout depends only on the actor's state and the network's weights."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.replay import Trajectory
from racing.episode import Episode, finished
from racing.spec import DrivingError
from racing.tracks import draw_training_track
from racing.world import World
from training.actors.driving import ActorSpec, DrivingNetwork

FAILED_TRACKS = 500  # that are kept; the oldest are dropped
LARGEST_REWARD = 1e30  # fits into float32, also as a sum in a return


@dataclass(frozen=True)
class CarState:
    """The state of a car within an episode, sufficient to reconstruct it.

    Attributes:
        track: Reset seed.
        actions: Actions so far, one index per decision.
        shaped_return: Sum of the shaped rewards so far.
        ended: Whether the episode has ended, with its last frame still to be stored.
    """

    track: int
    actions: bytes
    shaped_return: float
    ended: bool


@dataclass(frozen=True)
class ActorState:
    """Everything that an actor's next rollout depends on, apart from the weights.

    Attributes:
        cars: States of the cars.
        failed: Tracks on which no lap was completed, to be repeated, oldest first.
        track_rng: State of the generator that draws tracks.
        exploration_rng: State of the generator of exploration.
    """

    cars: tuple[CarState, ...]
    failed: tuple[int, ...]
    track_rng: Mapping[str, Any]
    exploration_rng: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Convert the state to JSON data, for a checkpoint."""
        cars = [
            {
                "track": c.track,
                "actions": c.actions.hex(),
                "shaped_return": c.shaped_return,
                "ended": c.ended,
            }
            for c in self.cars
        ]
        rngs = {"track_rng": self.track_rng, "exploration_rng": self.exploration_rng}
        return {"cars": cars, "failed": list(self.failed), **rngs}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> ActorState:
        """Restore a state from what `as_json` returned."""
        cars = tuple(
            CarState(**{**c, "actions": bytes.fromhex(c["actions"])}) for c in data["cars"]
        )
        return cls(cars, tuple(data["failed"]), data["track_rng"], data["exploration_rng"])


@dataclass(frozen=True)
class Rollout:
    """The result of a rollout.

    Attributes:
        trajectory: T steps of N cars.
        state: The actor's state after the rollout.
        episodes: Episodes that ended during the rollout, each with its shaped return and the index of its car.
        mean_q: Mean over the decisions of the highest action value.
    """

    trajectory: Trajectory
    state: ActorState
    episodes: list[tuple[Episode, float, int]]
    mean_q: float


def first_state(spec: ActorSpec, seed: np.random.SeedSequence) -> ActorState:
    """Make the initial state of an actor."""
    track_rng, exploration_rng = (np.random.default_rng(s) for s in seed.spawn(2))
    cars = tuple(
        CarState(draw_training_track(track_rng), b"", 0.0, False) for _ in range(spec.cars)
    )
    return ActorState(cars, (), track_rng.bit_generator.state, exploration_rng.bit_generator.state)


Driving = Generator[NDArray[np.uint8], NDArray[np.float32], Rollout]


class Actor:
    """Runs rollouts. It keeps its simulators in between, and reconstructs them if the given state does not match."""

    def __init__(self, spec: ActorSpec) -> None:
        self.spec = spec
        self._worlds = [spec.make_world(spec.world) for _ in range(spec.cars)]
        self._at: tuple[CarState, ...] | None = None  # the state that the simulators are in

    def rollout(self, state: ActorState, steps: int, epsilon: NDArray[np.float64]) -> Driving:
        """Drive, as a generator that yields observations, uint8 [N, K, H, W], and is sent Q-values, float32 [N, A].

        This way, the actors of a process can share one call of the network.

        Args:
            state: The state to start from.
            steps: Decisions per car.
            epsilon: Exploration rate of each car, float64 [N].

        Returns:
            The experience, and the state after it.

        Raises:
            DrivingError: If a reward or the physics is NaN or infinite.
        """
        self._restore(state.cars)
        self._at = None  # until the rollout is complete: after an error, their state is unknown
        track_rng, exploration_rng = _generator(state.track_rng), _generator(state.exploration_rng)
        cars, episodes, best_values = list(state.cars), list[tuple[Episode, float, int]](), []
        failed = deque(state.failed, maxlen=FAILED_TRACKS)
        trajectory = _empty(steps, self.spec)
        for t in range(steps):
            observations = np.stack([w.observation for w in self._worlds])  # [N, K, H, W]
            q = yield observations  # [N, A]
            actions = self.spec.choose(q, epsilon, exploration_rng)  # [N]
            best_values.append(float(q.max(axis=1).mean()))
            trajectory.frame[t] = observations[:, -1]
            trajectory.age[t] = [len(car.actions) for car in cars]
            for i, world in enumerate(self._worlds):
                if cars[i].ended:
                    trajectory.final[t, i] = True
                    track = next_track(failed, self.spec.shaping.retry_share, track_rng)
                    cars[i] = CarState(track, b"", 0.0, False)
                    world.reset(cars[i].track)
                    continue
                cars[i], episode = self._step(cars[i], world, int(actions[i]), trajectory, (t, i))
                if episode:
                    episodes.append((episode, cars[i].shaped_return, i))
                    if not episode.laps:
                        failed.append(episode.track)
        self._at = tuple(cars)
        rngs = track_rng.bit_generator.state, exploration_rng.bit_generator.state
        after = ActorState(self._at, tuple(failed), *rngs)
        return Rollout(trajectory, after, episodes, float(np.mean(best_values)))

    def _step(
        self, car: CarState, world: World, action: int, trajectory: Trajectory, at: tuple[int, int]
    ) -> tuple[CarState, Episode | None]:
        shaping = self.spec.shaping
        step = world.step(action)
        reward, stuck = shaping.reward(step), shaping.stuck(step)
        if not abs(reward) < LARGEST_REWARD:
            raise DrivingError(
                f"on track {car.track}, decision {len(car.actions) + 1} of its episode,"
                f" the reward is {reward}"
            )
        trajectory.action[at], trajectory.reward[at] = action, reward
        trajectory.terminal[at] = shaping.terminal(step)
        car = replace(
            car,
            actions=car.actions + bytes([action]),
            shaped_return=car.shaped_return + reward,
            ended=step.terminated or step.truncated or stuck,
        )
        return car, finished(world, car.track, stuck) if car.ended else None

    def _restore(self, cars: tuple[CarState, ...]) -> None:
        if self._at == cars:
            return
        for car, world in zip(cars, self._worlds, strict=True):
            drive_again(world, car)
        self._at = cars


def in_step(drivings: list[Driving], network: DrivingNetwork) -> list[Rollout]:
    """Run several actors in lockstep, with one call of the network for all of them at every step."""
    if not drivings:
        return []
    rollouts = list[Rollout]()
    asked = [next(driving) for driving in drivings]  # uint8 [N, K, H, W] each
    while not rollouts:
        values = np.split(network.q(np.concatenate(asked)), len(drivings))  # float32 [N, A] each
        asked = []
        for driving, q in zip(drivings, values, strict=True):
            try:
                asked.append(driving.send(q))
            except StopIteration as done:
                rollouts.append(done.value)
    return rollouts


def next_track(failed: deque[int], retry_share: float, rng: np.random.Generator) -> int:
    """Choose a new track or a failed one: a minimal form of prioritised level replay (Jiang et al. 2021).

    Args:
        failed: Tracks on which no lap was completed; if one is repeated, it is the oldest, which is removed.
        retry_share: Probability of repeating a failed track.
        rng: Random generator.

    Returns:
        A reset seed.
    """
    if failed and rng.random() < retry_share:
        return failed.popleft()
    return draw_training_track(rng)


def drive_again(world: World, car: CarState) -> None:
    """Reconstruct a car's state by repeating its actions; only the images that are still needed are rendered."""
    unseen = len(car.actions) - world.spec.history
    world.reset(car.track, render=unseen < 0)
    for i, action in enumerate(car.actions):
        world.step(action, render=i >= unseen)


def _generator(state: Mapping[str, Any]) -> np.random.Generator:
    rng = np.random.default_rng(0)
    rng.bit_generator.state = state
    return rng


def _empty(steps: int, spec: ActorSpec) -> Trajectory:
    shape = (steps, spec.cars)
    return Trajectory(
        frame=np.zeros((*shape, spec.world.height, spec.world.width), np.uint8),
        action=np.zeros(shape, np.uint8),
        reward=np.zeros(shape, np.float32),
        terminal=np.zeros(shape, np.bool_),
        final=np.zeros(shape, np.bool_),
        age=np.zeros(shape, np.uint16),
    )
