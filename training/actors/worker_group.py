"""The workers of a run, as its settings ask for them: processes of this machine or of a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from system.extras import require
from training.actors.driving import ActorSpec
from training.actors.worker import ProcessWorker, Worker

if TYPE_CHECKING:
    from training.actors.ray_workers import RayWorkerGroup


class WorkerGroup:
    """The workers of a run, which start to load TensorFlow at once.

    Args:
        settings: The settings of the run.
        count: The largest number of workers.
        spec: Specification of the actors.
        stack: Leaves the cluster when it is closed.
        notify: Called with lines for the user.
        surroundings: Called on every node: returns what must be the same on all of them.

    Attributes:
        workers: The workers that are available from the start.

    Raises:
        ValueError: If there is no such cluster, no free CPU in it, or another version of the program (ClusterError).
    """

    def __init__(
        self,
        settings: Any,
        count: int,
        spec: ActorSpec,
        stack: ExitStack,
        notify: Callable[[str], None],
        surroundings: Callable[[], dict[str, Any]],
    ) -> None:
        self._on_ray: RayWorkerGroup | None = None
        if settings.pool == "ray":
            require("ray", "ray")
            from training.actors.ray_cluster import RayCluster
            from training.actors.ray_workers import RayWorkerGroup

            cluster = RayCluster(settings.address, notify)
            stack.callback(cluster.close)
            self._on_ray = RayWorkerGroup(cluster, spec, settings.threads, surroundings)
            self.workers: list[Worker] = [*self._on_ray.start(count)]
        else:
            self.workers = [ProcessWorker(spec, settings.threads) for _ in range(count)]

    @property
    def processors(self) -> dict[str, int]:
        """Kinds of CPU that a cluster's workers have run on, and the number of workers of each."""
        return dict(self._on_ray.processors) if self._on_ray else {}

    def new_workers(self) -> Sequence[Worker]:
        """Workers that have joined since the last call."""
        return self._on_ray.new_workers() if self._on_ray else ()
