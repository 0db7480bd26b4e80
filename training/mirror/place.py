"""Checks at the start of a run: whether its mirror answers, and whether this run may be mirrored to it."""

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
    """A place that runs are mirrored to. Creating this object tests it by writing and deleting a small object.

    Args:
        url: URL of the mirror.

    Raises:
        ValueError: If the package is missing, the server does not answer within seconds, or writing is not allowed.
    """

    def __init__(self, url: str) -> None:
        self._store, self._hasty = Store(url), Store(url, HASTY_SECONDS)
        self.url = self._store.url
        self._hasty.clock()

    def check_free(self, agent: str, name: str, run: RunFolder | None) -> None:
        """Check early that `follow` would succeed; writes nothing into the run's folder.

        Args:
            agent: Name of the script.
            name: Name of a new run; may be empty.
            run: The run to be resumed; None for a new run.

        Raises:
            MirrorError: If another trainer holds the lease, or the mirror has a different run of this name or one that
                is further along.
        """
        if run is None and not name:
            return  # it will be named after the time and the seed
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
        """Take the lease of a run and mirror the run from now on.

        Args:
            run: The run, whose folder the caller has locked.
            keep: Number of checkpoints to keep in the mirror.
            new: Whether the run's folder was just created; it is removed if the run cannot be mirrored.
            stop: Called to stop the run when its lease is lost.
            sink: Receives messages and the results of uploads.

        Raises:
            MirrorError: If another trainer holds the lease, or the mirror has a different run of this name or one that
                is further along.
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
    """Upload a run's last checkpoint and small files to a mirror, and wait for the upload.

    Args:
        run: A run that is not being trained.
        url: URL of the mirror.
        sink: Receives messages.

    Returns:
        What went wrong; empty if everything has arrived.

    Raises:
        ValueError: If the run is being trained, or the mirror cannot be used for it.
    """
    run.lock()
    try:
        log = Mirror(url).follow(run, run.config()["keep_checkpoints"], False, lambda: None, sink)
        log.close()
        return log.problem
    finally:
        run.unlock()


def newest(run: RunFolder) -> int:
    """Return the decisions of the last checkpoint in a run's local folder; 0 if there is none."""
    return max(Checkpoints(run.path / CHECKPOINTS).steps(), default=0)


def damaged_in_mirror(run: Path) -> set[int]:
    """Return the decisions of those checkpoints that were damaged in the mirror when the run was downloaded."""
    try:
        steps = json.loads((run / OURS / DAMAGED).read_bytes())
        return {int(step) for step in steps}
    except (OSError, ValueError, TypeError):
        return set()


def note_damaged(run: Path, steps: list[int]) -> None:
    """Record damaged checkpoints of the mirror in a run's folder: the resumed run may replace them there."""
    (run / OURS).mkdir(exist_ok=True)
    write_whole(run / OURS / DAMAGED, json.dumps(steps).encode())
