"""A mirror as a run meets it at its start: whether it answers, and whether this run may go there."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from system.files import write_whole
from training.mirror import staging
from training.mirror.errors import MirrorError
from training.mirror.lease import OURS, Lease, holder_of
from training.mirror.mirror_log import MirrorLog
from training.mirror.store import HASTY_SECONDS, Store
from training.mirror.upload import MirroredCopy, steps_in
from training.mirror.uploader import Uploader
from training.runs.checkpoint import Checkpoints
from training.runs.run_folder import CHECKPOINTS, CONFIG, RunFolder, identity_of
from training.tracking.run_log import Sink

DAMAGED = "damaged.json"


class Mirror:
    """Where runs are mirrored to. Opening it writes an object and removes it.

    Args:
        url: Of the mirror.

    Raises:
        ValueError: If the package is missing, nothing answers in some seconds, or nothing may be written there.
    """

    def __init__(self, url: str) -> None:
        self._store, self._hasty = Store(url), Store(url, HASTY_SECONDS)
        self.url = self._store.url
        self._hasty.clock()

    def check_free(self, agent: str, name: str, run: RunFolder | None) -> None:
        """Check early that `follow` would succeed; writes nothing into the run.

        Args:
            agent: Name of the script.
            name: Of a new run; it may be empty.
            run: One that goes on; None for a new one.

        Raises:
            MirrorError: Saying why.
        """
        if run is None and not name:
            return  # named after the time and the seed
        full_name = run.full_name if run else f"{agent}/{name}"
        Lease(self._hasty, full_name, holder_of(run.path) if run else None).check_not_held()
        self._check_same_run(full_name, run)

    def _check_same_run(self, full_name: str, run: RunFolder | None) -> None:
        where = f"{self.url}/{full_name}"
        found = self._hasty.read(f"{full_name}/{CONFIG}")
        if found is None:
            return
        if run is None:
            raise MirrorError(f"{where} exists: choose another --name, or --resume {where}")
        try:
            theirs = identity_of(json.loads(found.data))
        except (ValueError, AttributeError, RecursionError):
            raise MirrorError(f"{where}/{CONFIG}: not a file that a run writes") from None
        if theirs != run.identity():
            raise MirrorError(
                f"{where} is a different run from {run.path}: choose another --mirror-to"
            )
        there, here = self._newest(full_name, run), newest(run)
        if there > here:
            raise MirrorError(
                f"{where} has {there:,} decisions, {run.path} has {here:,}: move that away and --resume {where}"
            )

    def _newest(self, full_name: str, run: RunFolder) -> int:
        steps = steps_in(self._hasty.sizes(full_name))
        return max(set(steps) - damaged_in_mirror(run.path), default=0)

    def follow(
        self, run: RunFolder, keep: int, new: bool, stop: Callable[[], None], sink: Sink
    ) -> MirrorLog:
        """Take the lease of a run, which is locked, and mirror it from now on.

        Args:
            run: The run.
            keep: Checkpoints to keep in the mirror.
            new: Whether its folder was made just now; it is removed if the mirror is refused.
            stop: Asks the run to stop.
            sink: Receives messages and the results of uploads.

        Raises:
            MirrorError: If another trainer holds the lease, or the mirror has another run of this name.
        """
        try:
            lease = Lease(self._hasty, run.full_name, holder_of(run.path, make=True))
            lease.take()
            try:
                self._check_same_run(run.full_name, None if new else run)
            except MirrorError:
                lease.release()
                raise
        except MirrorError:
            if new:
                run.discard()
            raise
        staging.clear(run.path)
        copy = MirroredCopy(self._store, run.path, run.full_name, run.identity(), keep)
        return MirrorLog(self.url, run, copy, Uploader(copy, lease), stop, sink)


def mirror_now(run: RunFolder, url: str, sink: Sink) -> str:
    """Bring a run's last checkpoint and small files into a mirror, and wait for it.

    Returns:
        What went wrong; empty if all is there.

    Raises:
        ValueError: If the run is being trained, or the mirror is refused.
    """
    run.lock()
    try:
        log = Mirror(url).follow(run, run.config()["keep_checkpoints"], False, lambda: None, sink)
        log.close()
        return log.problem
    finally:
        run.unlock()


def newest(run: RunFolder) -> int:
    """Decisions of the last checkpoint of a run's folder; 0 if there is none."""
    return max(Checkpoints(run.path / CHECKPOINTS).steps(), default=0)


def damaged_in_mirror(run: Path) -> set[int]:
    """Checkpoints that were damaged in the mirror when the run was fetched from there."""
    try:
        steps = json.loads((run / OURS / DAMAGED).read_bytes())
        return {int(step) for step in steps}
    except (OSError, ValueError, TypeError):
        return set()


def note_damaged(run: Path, steps: list[int]) -> None:
    """Note them in a run's folder: it may take their place in the mirror."""
    (run / OURS).mkdir(exist_ok=True)
    write_whole(run / OURS / DAMAGED, json.dumps(steps).encode())
