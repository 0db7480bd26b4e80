"""Uploads every checkpoint of a run to its mirror. docs/mirrors.md lists the guarantees."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from system.hints import command
from training.mirror.staging import Staged, stage
from training.mirror.upload import MirroredCopy
from training.mirror.uploader import Uploader
from training.runs.checkpoint import Checkpoints
from training.runs.manifest import CheckpointError
from training.runs.run_folder import CHECKPOINTS, RunFolder
from training.tracking.run_log import Progress, Sink

QUIET_SECONDS = 2.0  # of waiting at the end, before the first message
LINE_SECONDS = 4.0
PATIENCE_SECONDS = 60.0  # of waiting at the end, without any progress
LOOK_SECONDS = 0.05


class MirrorLog(Sink):
    """Hands checkpoints to the uploader, reports problems, and waits for the last upload at the end.

    Args:
        url: URL of the mirror.
        run: The run.
        copy: The run's copy in the mirror.
        uploader: Uploads to this copy.
        stop: Called to stop the run when its lease is lost.
        sink: Receives messages and the results of uploads.

    Attributes:
        problem: What went wrong with the last upload; empty if everything has arrived.
    """

    def __init__(
        self,
        url: str,
        run: RunFolder,
        copy: MirroredCopy,
        uploader: Uploader,
        stop: Callable[[], None],
        sink: Sink,
    ) -> None:
        self._run, self._where = run, f"{url}/{run.full_name}"
        self._copy, self._uploader, self._stop, self._sink = copy, uploader, stop, sink
        self._identity = run.identity()
        self._complaints = set[str]()
        self.problem = ""
        self._loss_reported = self._closed = False
        uploader.start()

    def begin(self, run: Path, workers: int) -> None:
        """Report the mirror as up to date: it answered a moment ago, and there is nothing to upload yet."""
        self._sink.mirrored(True)

    def checkpoint(self, decisions: int, seconds: float) -> None:
        """Queue the checkpoint for upload; returns at once."""
        self._put(decisions)
        self._hear()

    def progress(self, progress: Progress) -> None:
        """Report the results of uploads that have ended."""
        self._hear()

    def _put(self, decisions: int) -> None:
        if self._uploader.lost:
            return
        try:
            self._uploader.put(self._staged(decisions))
        except (OSError, CheckpointError) as e:
            self._complain(str(e))

    def _staged(self, decisions: int) -> Staged:
        return stage(self._run.path, self._identity, decisions, self._copy.there)

    def _hear(self) -> None:
        while not self._uploader.problems.empty():
            problem = self._uploader.problems.get()
            if self._uploader.lost:
                continue
            if problem:
                self._complain(problem)
                continue
            if self.problem:
                self._sink.notify(f"mirror: {self._where} is up to date again")
            self.problem = ""
            self._complaints.clear()
            self._sink.mirrored(True)
        if self._uploader.lost and not self._loss_reported:
            self._loss_reported = True
            self._sink.notify(
                f"mirror: {self._uploader.lost}; nothing more is mirrored, and this run stops"
            )
            self._sink.mirrored(False)
            self._stop()

    def _complain(self, problem: str) -> None:
        self.problem = problem
        self._sink.mirrored(False)
        if problem not in self._complaints:
            self._complaints.add(problem)
            self._sink.notify(
                f"mirror: {problem}; training goes on, the next checkpoint tries again"
            )

    def close(self) -> None:
        """Upload the last checkpoint and the final small files; wait as long as the upload makes progress."""
        if self._closed:
            return
        self._closed = True
        if not self._uploader.lost:
            steps = Checkpoints(self._run.path / CHECKPOINTS).steps()
            try:
                self._uploader.put(self._staged(steps[-1]) if steps else None)
            except (OSError, CheckpointError) as e:
                self._complain(str(e))
                self._uploader.put(None)
            self._wait()
        idle = self._uploader.is_idle()
        self._hear_the_last(idle)
        self._uploader.end(release=idle)

    def _hear_the_last(self, idle: bool) -> None:
        while not self._uploader.problems.empty():
            self.problem = self._uploader.problems.get()
            self._sink.mirrored(not self.problem)
        if self._uploader.lost and not self._loss_reported:
            self._sink.notify(f"mirror: {self._uploader.lost}")
        elif not idle or self.problem:
            self.problem = why = self.problem or f"no progress for {PATIENCE_SECONDS:.0f} s"
            again = command("runs.py", "mirror", self._run.path)
            self._sink.notify(
                f"mirror: the end of the run is not mirrored: {why}; to upload it: {again}"
            )

    def _wait(self) -> None:
        """Wait until the uploader is idle or makes no progress; print a line every few seconds."""
        began = time.monotonic()
        printed = began - LINE_SECONDS + QUIET_SECONDS
        while not self._uploader.is_idle() and not self._uploader.lost:
            sent, still = self._uploader.progress()
            if min(still, time.monotonic() - began) > PATIENCE_SECONDS:
                return
            if time.monotonic() - printed >= LINE_SECONDS:
                printed = time.monotonic()
                stuck = f", no progress for {still:.0f} s" if still > LINE_SECONDS else ""
                self._sink.notify(f"waiting for {self._where}: {sent / 2**20:.1f} MiB sent{stuck}")
            time.sleep(LOOK_SECONDS)
