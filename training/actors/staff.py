"""The workers of a run, as its settings ask for them: processes of this machine, or of a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from system.extras import require
from training.actors.driving import ActorSpec
from training.actors.worker import ProcessWorker, Worker

if TYPE_CHECKING:
    from training.actors.ray_workers import RayStaff


class Staff:
    """Workers, which start to load TensorFlow at once.

    Args:
        settings: Of the run.
        count: Of workers, at most.
        spec: Of the actors.
        stack: Leaves the cluster.
        say: Told what people should know.
        surroundings: Tells what must be the same on all machines, where it is called.

    Attributes:
        workers: That are there from the beginning.

    Raises:
        ValueError: If there is no such cluster, no place in it, or another program than here (ClusterError).
    """

    def __init__(
        self,
        settings: Any,
        count: int,
        spec: ActorSpec,
        stack: ExitStack,
        say: Callable[[str], None],
        surroundings: Callable[[], dict[str, Any]],
    ) -> None:
        self._on_ray: RayStaff | None = None
        if settings.pool == "ray":
            require("ray", "ray")
            from training.actors.ray_cluster import RayCluster
            from training.actors.ray_workers import RayStaff

            cluster = RayCluster(settings.address, say)
            stack.callback(cluster.close)
            self._on_ray = RayStaff(cluster, spec, settings.threads, surroundings)
            self.workers: list[Worker] = [*self._on_ray.begin(count)]
        else:
            self.workers = [ProcessWorker(spec, settings.threads) for _ in range(count)]

    @property
    def processors(self) -> dict[str, int]:
        """Kinds of CPU that workers of a cluster have had, and how many each."""
        return dict(self._on_ray.processors) if self._on_ray else {}

    def hire(self) -> Sequence[Worker]:
        """Workers that came since."""
        return self._on_ray.hire() if self._on_ray else ()
