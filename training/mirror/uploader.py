"""Two threads beside a training: one uploads, the other renews the lease. The trainer never waits for either.

Threads and no process: when the trainer is killed, whatever it was uploading ends with it, and who resumes it meets
nobody. Requests are made by the library's own threads, without the interpreter's lock.
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

NICE = 5  # training goes first


class Uploader:
    """Keeps a copy like its run.

    Args:
        copy: To keep.
        lease: Held for it.

    Attributes:
        problems: Of uploads, as they end; empty for one after which all is there.
        lost: Why the copy must be left alone; empty while it need not.
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
        """Begin."""
        for thread in self._threads:
            thread.start()

    def put(self, staged: Staged | None) -> None:
        """Upload this next, in place of what waits; returns at once."""
        with self._changed:
            if self._waiting and self._waiting[0]:
                self._waiting[0].remove()
            self._waiting = (staged,)
            self._changed.notify_all()

    def is_idle(self) -> bool:
        """Whether nothing waits and nothing is on its way."""
        with self._changed:
            return not self._busy and self._waiting is None

    def progress(self) -> tuple[int, float]:
        """Bytes sent so far, and the seconds since it got on last."""
        return self._sent, time.monotonic() - self._alive

    def end(self, release: bool) -> None:
        """Leave the threads alone, and let the lease go if all is done; what hangs is given up."""
        self._stop.set()
        with self._changed:
            if self._busy:
                self.lost = self.lost or "given up"  # what hangs must not go on later
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
                self._copy.send_status(STATUS)  # for who watches the mirror
            except LeaseError as e:
                self.lost = str(e)
                return
            except (MirrorError, OSError):
                continue  # the next upload says so


def _niced(work: Callable[[], None]) -> None:
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
    work()
