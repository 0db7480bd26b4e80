"""Two threads of the trainer: one uploads, the other renews the lease. Training never waits for either.

They are threads and not processes, so that when the trainer is killed, its uploads end with it and cannot interfere
with a resumed run. The library makes its requests in threads of its own, without holding the GIL.
"""

from __future__ import annotations

import contextlib
import os
import queue
import threading
import time
from collections.abc import Callable

from training.mirror import lease as leases
from training.mirror.errors import MirrorError
from training.mirror.lease import Lease, LeaseError
from training.mirror.staging import Staged
from training.mirror.upload import MirroredCopy
from training.tracking.status import STATUS

NICE = 5  # training has priority


class Uploader:
    """Uploads checkpoints to a run's copy in a mirror and renews its lease, in two threads.

    Args:
        copy: The copy in the mirror.
        lease: Its lease, which this run holds.

    Attributes:
        problems: What went wrong with each upload that has ended; empty if everything arrived.
        lost: Why nothing may be uploaded any more, for example a lost lease; empty while uploads are allowed.
    """

    def __init__(self, copy: MirroredCopy, lease: Lease) -> None:
        self._copy, self._lease = copy, lease
        self.problems = queue.SimpleQueue[str]()
        self.lost = ""
        self._changed = threading.Condition()
        self._waiting: tuple[Staged | None] | None = None
        self._busy = self._ended = False
        self._sent, self._alive = 0, time.monotonic()
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=_niced, args=(work,), daemon=True, name=f"mirror {name}")
            for name, work in (("upload", self._upload), ("lease", self._renew))
        ]

    def start(self) -> None:
        """Start both threads."""
        for thread in self._threads:
            thread.start()

    def put(self, staged: Staged | None) -> None:
        """Queue a checkpoint, replacing one that is still waiting; returns at once.

        Args:
            staged: The checkpoint, which is removed after the upload; None to upload only the small files.
        """
        with self._changed:
            if self._waiting and self._waiting[0]:
                self._waiting[0].remove()
            self._waiting = (staged,)
            self._changed.notify_all()

    def is_idle(self) -> bool:
        """Return whether no upload is waiting or running."""
        with self._changed:
            return not self._busy and self._waiting is None

    def progress(self) -> tuple[int, float]:
        """Return the number of bytes sent so far, and the seconds since the last progress."""
        return self._sent, time.monotonic() - self._alive

    def end(self, release: bool) -> None:
        """Tell the threads to end, without waiting for them; an upload that is still running is abandoned.

        Args:
            release: Whether to release the lease, unless it was lost or an upload was abandoned.
        """
        self._stop.set()
        with self._changed:
            if self._busy:
                self.lost = self.lost or "given up"  # a hanging upload must not continue later
            self._ended = True
            if self._waiting and self._waiting[0]:
                self._waiting[0].remove()
            self._waiting = None
            self._changed.notify_all()
        if release and not self.lost:
            with contextlib.suppress(MirrorError):
                self._lease.release()

    def _upload(self) -> None:
        while (order := self._next()) is not None:
            staged = order[0]
            problem = ""
            try:
                self._copy.update(staged, self._fence, self._count_sent)
            except LeaseError as e:
                self.lost = problem = str(e)
            except (MirrorError, OSError) as e:
                problem = str(e)
            finally:
                if staged:
                    staged.remove()
            self.problems.put(problem)
            with self._changed:
                self._busy, self._alive = False, time.monotonic()

    def _next(self) -> tuple[Staged | None] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._waiting is not None)
            order, self._waiting = self._waiting, None
            self._busy, self._alive = order is not None, time.monotonic()
            return None if self._ended else order

    def _count_sent(self, sent: int) -> None:
        self._sent += sent
        self._alive = time.monotonic()

    def _fence(self) -> None:
        if self.lost:
            raise LeaseError(self.lost)
        self._lease.renew()
        self._alive = time.monotonic()

    def _renew(self) -> None:
        while not self._stop.wait(leases.RENEW_SECONDS):
            try:
                self._lease.renew()
                # So that `runs.py monitor` sees that the run is alive.
                self._copy.send_status(STATUS)
            except LeaseError as e:
                self.lost = str(e)
                return
            except (MirrorError, OSError):
                continue  # the next upload reports the problem


def _niced(work: Callable[[], None]) -> None:
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
    work()
