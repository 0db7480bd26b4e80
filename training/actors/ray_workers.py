"""Workers on a Ray cluster: placing them, checking their nodes, replacing those that are lost.

Ray only carries messages and starts processes. An answer depends only on the task, so we retry a lost task on another
worker ourselves, and Ray's own retries are off. Nodes may join and leave at any time. Only the loss of the learner's
node ends the run, which can then be resumed.
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
    NoCapacityError,
    RolloutWorker,
    Task,
    WorkerLostError,
    run_task,
)

Surroundings = Callable[[], dict[str, Any]]
SECONDS_TO_PLACE = 180.0  # for starting a worker process with its imports on a node
SECONDS_TO_JOIN = 300.0  # for the first node of an autoscaling cluster
SECONDS_TO_PLACE_AGAIN = 20.0  # short, because the tick waits for it


class RayActor:
    """The remote half of a worker: a Ray actor, in a process of its own on some node."""

    def __init__(self, spec: ActorSpec, threads: int, surroundings: Surroundings) -> None:
        self._spec, self._threads, self._surroundings = spec, threads, surroundings
        self._rollout_worker: RolloutWorker | None = None

    def facts(self) -> dict[str, Any]:
        """What the last bits of an answer may depend on; answers at once, before TensorFlow is loaded."""
        return self._surroundings() | {"node": socket.gethostname()}

    def load(self) -> None:
        """Load TensorFlow."""
        from agents.backend import set_up_tensorflow

        set_up_tensorflow(self._threads, "cpu")
        self._rollout_worker = RolloutWorker(self._spec)

    def run(self, weights: Weights, task: Task) -> Answer:
        """Work on a task; its weights are passed separately, read-only, float32."""
        if self._rollout_worker is None:
            self.load()
        assert self._rollout_worker is not None
        return run_task(self._rollout_worker, replace(task, weights=weights))


class RayWorker:
    """A `Worker` on some node.

    Args:
        group: The group that this worker belongs to.
    """

    def __init__(self, group: RayWorkerGroup) -> None:
        self._group = group
        self._task: Task | None = None
        self._spawn()

    def _spawn(self) -> None:
        self._actor = self._group.new_actor()
        self.facts = self._actor.facts.remote()
        self._loaded = self._actor.load.remote()  # in advance of the first task

    def is_up(self, seconds: float = 0.0) -> bool:
        """Whether it was placed on a node and may work; waits up to `seconds` for that.

        Raises:
            ClusterError: If its node has another version of the program or of a library.
            WorkerLostError: If it died.
        """
        ready, _ = self._group.cluster.ray.wait([self.facts], timeout=seconds)
        if ready:
            self._group.check_node(self._get(self.facts, SECONDS_TO_CONNECT))
        return bool(ready)

    def ask(self, task: Task) -> None:
        """Hand a task over. Weights that several workers share go to the cluster only once."""
        self._task = task
        weights = self._group.put(task.weights)
        self._answer = self._actor.run.remote(weights, replace(task, weights={}))

    def answer(self) -> Answer:
        """Wait for the answer."""
        answer: Answer = self._get(self._answer, SECONDS_TO_ANSWER)
        return answer

    def _get(self, reference: Any, seconds: float) -> Any:
        try:
            return self._group.cluster.ray.get(reference, timeout=seconds)
        except self._group.cluster.lost_errors as e:
            raise WorkerLostError(f"Ray worker died or hung ({type(e).__name__})") from None

    def restart(self) -> None:
        """Kill what is left, place another worker, and give it the same task."""
        self.end()
        self._spawn()
        try:
            has_place = self.is_up(SECONDS_TO_PLACE_AGAIN)
        except WorkerLostError:  # that node is gone, too
            self.end()
            self._spawn()
            has_place = False
        except ClusterError as e:
            self._group.cluster.notify(f"a new worker is not used: {e}")
            self.end()
            raise NoCapacityError from None
        if not has_place:
            self._group.add_pending(self)
            raise NoCapacityError
        if self._task is not None:
            self.ask(self._task)

    def end(self) -> None:
        """Kill the worker."""
        self._group.cluster.ray.kill(self._actor, no_restart=True)


class RayWorkerGroup:
    """The workers of a run on a cluster.

    Args:
        cluster: The cluster.
        spec: Specification of the actors.
        threads: Number of TensorFlow threads in each worker.
        surroundings: Called on every node: returns `processor`, and what must be the same on all nodes.

    Attributes:
        processors: Kinds of CPU that workers have run on, and the number of workers of each.
    """

    def __init__(
        self, cluster: RayCluster, spec: ActorSpec, threads: int, surroundings: Surroundings
    ) -> None:
        self.cluster, self._start = cluster, (spec, threads, surroundings)
        self.processors: dict[str, int] = {}
        self._here = surroundings()
        self._put: tuple[Weights, Any] | None = None
        self._pending: list[RayWorker] = []  # not placed yet

    def start(self, most: int) -> list[RayWorker]:
        """Start the workers; returns those placed by now. `new_workers` returns the others once nodes have joined.

        Args:
            most: The largest useful number of workers.

        Raises:
            ClusterError: If none could be placed, or a node has another version of the program or of a library.
        """
        reserved = self._reserve_learner_cpu()
        free = min(most, int(self.cluster.ray.available_resources().get("CPU", 0)) - reserved)
        made = [RayWorker(self) for _ in range(most)]
        if free < 1:
            self.cluster.notify(
                f"Ray: no CPU is free; waiting {SECONDS_TO_JOIN:g} s for a node to join"
            )
        self.cluster.ray.wait(
            [w.facts for w in made],
            num_returns=max(free, 1),
            timeout=SECONDS_TO_PLACE if free > 0 else SECONDS_TO_JOIN,
        )
        try:
            up = [w for w in made if w.is_up()]
        except WorkerLostError as lost:
            raise ClusterError(f"{lost} died while it started") from None
        if not up:
            raise ClusterError(
                f"no CPU is free for a worker: the cluster has {self._cpus():g}, and one of them is"
                " reserved for the learner if its node offers any"
            )
        self._pending = [w for w in made if w not in up]
        waiting = f"; {len(self._pending)} more when nodes join" if self._pending else ""
        self.cluster.notify(f"Ray: {len(up)} workers, {self._cpus():g} CPUs{waiting}")
        return up

    def new_workers(self) -> list[RayWorker]:
        """The workers that were placed since the last call."""
        new = []
        for worker in list(self._pending):
            try:
                if not worker.is_up():
                    continue
                new.append(worker)
            except (ClusterError, WorkerLostError) as e:
                self.cluster.notify(f"a new worker is not used: {e}")
                worker.end()
            self._pending.remove(worker)
        if new:
            self.cluster.notify(f"Ray: {len(new)} more workers")
        return new

    def add_pending(self, worker: RayWorker) -> None:
        """Have `new_workers` return this worker once it is placed."""
        self._pending.append(worker)

    def new_actor(self) -> Any:
        """A new Ray actor on some node with a free CPU, without Ray's own retries; CPU nodes come first."""
        options = {"num_cpus": 1, "num_gpus": 0, "max_restarts": 0, "max_task_retries": 0}
        remote = self.cluster.ray.remote(RayActor)
        return remote.options(**options, scheduling_strategy="SPREAD").remote(*self._start)

    def put(self, weights: Weights) -> Any:
        """A reference to the weights in the cluster's object store, where they are put once per tick."""
        if self._put is None or self._put[0] is not weights:
            self._put = (weights, self.cluster.ray.put(weights))
        return self._put[1]

    def check_node(self, facts: dict[str, Any]) -> None:
        """Check the node of a new worker, and log it if its CPU is of another kind.

        Raises:
            ClusterError: If it has another version of the program or of a library.
        """
        for name, ours in self._here.items():
            theirs = facts.get(name)
            if name != "processor" and theirs != ours:
                raise ClusterError(f"on {facts['node']} the {name} is {theirs}, here it is {ours}")
        kind = facts["processor"]
        if kind not in self.processors and kind != self._here["processor"]:
            self.cluster.notify(
                f"{facts['node']} has another kind of CPU, the last bits of the result may differ:"
                f" {kind}"
            )
        self.processors[kind] = self.processors.get(kind, 0) + 1

    def _cpus(self) -> float:
        return float(self.cluster.ray.cluster_resources().get("CPU", 0))

    def _reserve_learner_cpu(self) -> int:
        """Reserve a CPU of this node for the learner, if the node offers any; returns how many were reserved."""
        ray = self.cluster.ray
        here = ray.get_runtime_context().get_node_id()
        [node] = [n for n in ray.nodes() if n["NodeID"] == here]
        if node["Resources"].get("CPU", 0) < 1:
            return 0
        strategy = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
        placed = ray.remote(_LearnerCpu).options(
            num_cpus=1, scheduling_strategy=strategy(here, soft=False)
        )
        self._learner_cpu = placed.remote()
        return 1


class _LearnerCpu:
    """A Ray actor that only occupies a CPU, so that Ray does not give it to a worker."""
