"""Workers on a Ray cluster: where they are, which nodes may have them, and what is done when one is lost.

Ray only carries messages and starts processes. What a worker answers depends on its task alone, so retries are ours
(the same task, given to another worker) and Ray's are off. Nodes that join are used, nodes that go are survived, but
for that of the process that learns: then the run is resumed.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from agents.network import Weights
from training.actors.driving import ActorSpec
from training.actors.ray_cluster import SECONDS_TO_CONNECT, ClusterError, RayCluster
from training.actors.worker import (
    SECONDS_TO_ANSWER,
    Answer,
    Crew,
    NoPlaceError,
    Task,
    WorkerLostError,
    done_or_why_not,
)

Surroundings = Callable[[], dict[str, Any]]
SECONDS_TO_PLACE = 180.0  # a worker on a node: a process is started, and imports what a world needs
SECONDS_TO_JOIN = 300.0  # a first node of a cluster that grows by itself
SECONDS_TO_PLACE_AGAIN = 20.0  # a tick waits for it


class RayActor:
    """A worker's half on its node. Ray makes an object of it in a process of its own."""

    def __init__(self, spec: ActorSpec, threads: int, surroundings: Surroundings) -> None:
        self._spec, self._threads, self._surroundings = spec, threads, surroundings
        self._crew: Crew | None = None

    def facts(self) -> dict[str, Any]:
        """What the last bits of an answer may depend on; at once, before TensorFlow is loaded."""
        return self._surroundings() | {"node": socket.gethostname()}

    def load(self) -> None:
        """Load TensorFlow."""
        from agents.backend import set_up_tensorflow

        set_up_tensorflow(self._threads, "cpu")
        self._crew = Crew(self._spec)

    def do(self, weights: Weights, task: Task) -> Answer:
        """Work on a task whose weights came by themselves; they are read-only, float32."""
        if self._crew is None:
            self.load()
        assert self._crew is not None
        return done_or_why_not(self._crew, replace(task, weights=weights))


class RayWorker:
    """A `Worker` on some node.

    Args:
        staff: That it is of.
    """

    def __init__(self, staff: RayStaff) -> None:
        self._staff = staff
        self._task: Task | None = None
        self._spawn()

    def _spawn(self) -> None:
        self._actor = self._staff.new_actor()
        self.facts = self._actor.facts.remote()
        self._loaded = self._actor.load.remote()  # the first task finds TensorFlow there

    def is_up(self, seconds: float = 0.0) -> bool:
        """Whether it has a place and may work; waits for so long.

        Raises:
            ClusterError: If its program or its libraries are others than here.
            WorkerLostError: If it died.
        """
        ready, _ = self._staff.cluster.ray.wait([self.facts], timeout=seconds)
        if ready:
            self._staff.admit(self._get(self.facts, SECONDS_TO_CONNECT))
        return bool(ready)

    def ask(self, task: Task) -> None:
        """Hand a task over. Its weights go to the cluster once, whoever is asked."""
        self._task = task
        weights = self._staff.put(task.weights)
        self._answer = self._actor.do.remote(weights, replace(task, weights={}))

    def answer(self) -> Answer:
        """Wait for the answer."""
        answer: Answer = self._get(self._answer, SECONDS_TO_ANSWER)
        return answer

    def _get(self, reference: Any, seconds: float) -> Any:
        try:
            return self._staff.cluster.ray.get(reference, timeout=seconds)
        except self._staff.cluster.lost_errors as e:
            raise WorkerLostError(f"Ray worker ({type(e).__name__})") from None

    def restart(self) -> None:
        """Kill what is left, find another place, ask again."""
        self.end()
        self._spawn()
        try:
            has_place = self.is_up(SECONDS_TO_PLACE_AGAIN)
        except WorkerLostError:  # that node is gone, too
            self.end()
            self._spawn()
            has_place = False
        except ClusterError as e:
            self._staff.cluster.say(f"a new worker is not used: {e}")
            self.end()
            raise NoPlaceError from None
        if not has_place:
            self._staff.wait_for_place(self)
            raise NoPlaceError
        if self._task is not None:
            self.ask(self._task)

    def end(self) -> None:
        """Kill it."""
        self._staff.cluster.ray.kill(self._actor, no_restart=True)


class RayStaff:
    """The workers of a run.

    Args:
        cluster: Where they are.
        spec: Of the actors.
        threads: TensorFlow's, in each.
        surroundings: Tells what the last bits of an answer may depend on, beside the task, where it is called:
            `processor`, and what must be the same everywhere.

    Attributes:
        processors: Kinds of CPU that they have had, and how many each.
    """

    def __init__(
        self, cluster: RayCluster, spec: ActorSpec, threads: int, surroundings: Surroundings
    ) -> None:
        self.cluster, self._start = cluster, (spec, threads, surroundings)
        self.processors: dict[str, int] = {}
        self._here = surroundings()
        self._put: tuple[Weights, Any] | None = None
        self._coming: list[RayWorker] = []  # without a place

    def begin(self, most: int) -> list[RayWorker]:
        """The workers that have a place now. The others wait for one: `hire` brings them when nodes have joined.

        Args:
            most: As many as are of use.

        Raises:
            ClusterError: If none has a place, or a node has another program or other libraries.
        """
        seat = self._take_seat()
        free = min(most, int(self.cluster.ray.available_resources().get("CPU", 0)) - seat)
        made = [RayWorker(self) for _ in range(most)]
        if free < 1:
            self.cluster.say(f"Ray: no CPU is free; waits {SECONDS_TO_JOIN:g} s for a node to join")
        self.cluster.ray.wait(
            [w.facts for w in made],
            num_returns=max(free, 1),
            timeout=SECONDS_TO_PLACE if free > 0 else SECONDS_TO_JOIN,
        )
        try:
            up = [w for w in made if w.is_up()]
        except WorkerLostError as lost:
            raise ClusterError(f"{lost} died at its start") from None
        if not up:
            raise ClusterError(
                f"no CPU is free for a worker: the cluster has {self._cpus():g}, and one is for the"
                " process that learns where its node offers any"
            )
        self._coming = [w for w in made if w not in up]
        waiting = f"; {len(self._coming)} more when nodes join" if self._coming else ""
        self.cluster.say(f"Ray: {len(up)} workers, {self._cpus():g} CPUs{waiting}")
        return up

    def hire(self) -> list[RayWorker]:
        """Workers that have found a place since."""
        new = []
        for worker in list(self._coming):
            try:
                if not worker.is_up():
                    continue
                new.append(worker)
            except (ClusterError, WorkerLostError) as e:
                self.cluster.say(f"a new worker is not used: {e}")
                worker.end()
            self._coming.remove(worker)
        if new:
            self.cluster.say(f"Ray: {len(new)} more workers")
        return new

    def wait_for_place(self, worker: RayWorker) -> None:
        """Let `hire` bring this one when it has a place."""
        self._coming.append(worker)

    def new_actor(self) -> Any:
        """A process on some node with a free CPU, without Ray's own retries; CPU nodes come first."""
        options = {"num_cpus": 1, "num_gpus": 0, "max_restarts": 0, "max_task_retries": 0}
        remote = self.cluster.ray.remote(RayActor)
        return remote.options(**options, scheduling_strategy="SPREAD").remote(*self._start)

    def put(self, weights: Weights) -> Any:
        """Where the weights are in the cluster: put there once per tick."""
        if self._put is None or self._put[0] is not weights:
            self._put = (weights, self.cluster.ray.put(weights))
        return self._put[1]

    def admit(self, facts: dict[str, Any]) -> None:
        """Let a worker in, and say it where its CPU is of another kind.

        Raises:
            ClusterError: If its program or its libraries are others than here.
        """
        for name, ours in self._here.items():
            theirs = facts.get(name)
            if name != "processor" and theirs != ours:
                raise ClusterError(f"on {facts['node']} the {name} is {theirs}, here it is {ours}")
        kind = facts["processor"]
        if kind not in self.processors and kind != self._here["processor"]:
            self.cluster.say(
                f"{facts['node']} has another kind of CPU, the last bits of the result may differ:"
                f" {kind}"
            )
        self.processors[kind] = self.processors.get(kind, 0) + 1

    def _cpus(self) -> float:
        return float(self.cluster.ray.cluster_resources().get("CPU", 0))

    def _take_seat(self) -> int:
        """Take a CPU of this node for the process that learns, where it offers any; how many it took."""
        ray = self.cluster.ray
        here = ray.get_runtime_context().get_node_id()
        [node] = [n for n in ray.nodes() if n["NodeID"] == here]
        if node["Resources"].get("CPU", 0) < 1:
            return 0
        strategy = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
        seat = ray.remote(_Seat).options(num_cpus=1, scheduling_strategy=strategy(here, soft=False))
        self._seat = seat.remote()
        return 1


class _Seat:
    """Holds a CPU."""
