"""Runs as child processes, some at a time: each is a script's command line with a log of its own.

A child leads a process group of its own, so that Ctrl-C in a terminal reaches this process alone, which then tells the
children once: they save a checkpoint and end with exit code 3. If this process is killed, the kernel tells them.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from experiments.gpus import Gpus, TakenGpu
from reports.run_list import read_status
from system.cpus import usable_cpus
from system.exits import EXIT_FAILED, EXIT_STOPPED, exit_with_error
from system.processes import cause_of_death, on_first_stop_signal, with_parent_death_signal
from system.progress import progress
from training.runs.run_folder import RunFolder
from training.stop import Stop

POLL_SECONDS = 0.2
LOCKED_SECONDS = 60.0  # a run whose parent was killed still saves its checkpoint
LAST_LINES = 3
LAST_BYTES = 10_000


@dataclass(frozen=True)
class Job:
    """A run to be made by a child process.

    Attributes:
        name: What people call it.
        words: The script and its options.
        log: Where its output goes, after what is there.
        run: Folder of the run.
    """

    name: str
    words: tuple[str, ...]
    log: Path
    run: RunFolder


@dataclass(frozen=True)
class Done:
    """How a job ended.

    Attributes:
        job: Which.
        code: Its exit code, negative after a signal.
        reason: Why it failed; empty if it did not.
        seconds: That it took.
    """

    job: Job
    code: int
    reason: str
    seconds: float


class StoppedError(Exception):
    """A stop was asked for before everything was done."""


class UnfinishedError(Exception):
    """What must be known is not: runs failed or were killed. The message says which, and why."""


def unfinished(bad: Sequence[Done]) -> UnfinishedError:
    """The error that says which jobs did not end well."""
    first, more = bad[0], f" (and {len(bad) - 1} more)" if bad[1:] else ""
    return UnfinishedError(f"{first.job.name}: {first.reason}{more}; the same command line goes on")


@contextmanager
def stoppable() -> Iterator[Stop]:
    """Work that the first signal stops: the program then ends with exit code 3, and with 1 if it cannot be finished.

    Yields:
        Whether to stop.
    """
    stop = Stop()
    on_first_stop_signal(stop.ask)
    try:
        yield stop
    except StoppedError:
        print("stopped; the same command line goes on")
        raise SystemExit(EXIT_STOPPED) from None
    except UnfinishedError as e:
        exit_with_error(e, EXIT_FAILED)


def workers_each(at_once: int) -> list[str]:
    """Options that leave `at_once` runs together no more processes than there are cores; each has one that learns."""
    return [] if at_once == 1 else ["--workers", str(max(usable_cpus() // at_once - 1, 0))]


def check_jobs(jobs: int | None, devices: tuple[int, ...]) -> int:
    """How many runs at once: as asked; or one per GPU, or one.

    Raises:
        ValueError: If that cannot be.
    """
    if jobs is None:
        return max(len(devices), 1)
    if jobs < 1:
        raise ValueError(f"jobs must be at least 1, got {jobs}")
    return min(jobs, len(devices)) if devices else jobs


def run_jobs(
    jobs: Sequence[Job],
    at_once: int,
    stop: Stop,
    *,
    gpus: Gpus | None = None,
    ended: Callable[[Done], str] = lambda done: "done",
) -> list[Done]:
    """Run them, at most `at_once` at a time.

    Args:
        jobs: Begun in this order.
        at_once: At most so many run at a time.
        stop: Asked several times a second; the children are then told to stop, and waited for.
        gpus: Where they learn, one on each at a time; as their command lines say if None.
        ended: Called when one has ended; what is printed of it.

    Returns:
        How they ended, in the order of `jobs`.

    Raises:
        StoppedError: If a stop was asked for.
        OSError: If a log cannot be written or no process be started.
    """
    queue, running, done = _Queue(jobs, gpus), list[_Child](), dict[str, Done]()
    ending = False
    with progress("training", "runs") as on_progress:
        try:
            while running or (queue.jobs and not stop.asked):
                while queue.jobs and not stop.asked and len(running) < at_once:
                    if (child := queue.begin()) is None:
                        break
                    running.append(child)
                    print(f"{child.job.name} begins, log in {child.job.log}", flush=True)
                if stop.asked and not ending:
                    ending = True
                    print(f"{len(running)} runs save a checkpoint and stop", flush=True)
                    for child in running:
                        child.process.terminate()
                for child in [c for c in running if c.process.poll() is not None]:
                    running.remove(child)
                    done[child.job.name] = one = child.end(stop.asked)
                    print(f"{one.job.name}: {one.reason or ended(one)}", flush=True)
                on_progress(len(done) + sum(_share(c.job.run) for c in running), len(jobs))
                time.sleep(POLL_SECONDS if running or queue.jobs else 0)
        finally:
            for child in running:  # something went wrong here
                child.process.terminate()
            for child in running:
                child.process.wait()
    if stop.asked:
        raise StoppedError
    return [done[job.name] for job in jobs]


class _Child:
    """A job that runs."""

    def __init__(self, job: Job, gpu: TakenGpu | None) -> None:
        self.job, self._gpu, self._began = job, gpu, time.monotonic()
        device = [] if gpu is None else ["--device", f"gpu:{gpu.index}"]
        job.log.parent.mkdir(parents=True, exist_ok=True)
        with job.log.open("ab") as log:
            self._offset = log.tell()
            self.process = subprocess.Popen(
                with_parent_death_signal(sys.executable, *job.words, *device),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                process_group=0,
                pass_fds=[] if gpu is None else [gpu.lock],
            )

    def end(self, stopping: bool) -> Done:
        """What came of it."""
        if self._gpu is not None:
            self._gpu.release()
        code, seconds = self.process.returncode, time.monotonic() - self._began
        if code == 0:
            return Done(self.job, 0, "", seconds)
        if stopping or code == EXIT_STOPPED:  # by us, by somebody else, or at its --hours
            return Done(self.job, code, "stopped before its end", seconds)
        with self.job.log.open("rb") as log:
            log.seek(max(self._offset, self.job.log.stat().st_size - LAST_BYTES))
            lines = log.read().decode(errors="replace").strip().splitlines()
        last = next((x for x in reversed(lines) if x.startswith("error: ")), "")
        reason = last.removeprefix("error: ") or " / ".join(
            [cause_of_death(code), *lines[-LAST_LINES:]]
        )
        return Done(self.job, code, reason, seconds)


class _Queue:
    """The jobs that have not begun."""

    def __init__(self, jobs: Sequence[Job], gpus: Gpus | None) -> None:
        self.jobs, self._gpus = list(jobs), gpus
        self._busy_since: dict[str, float] = {}

    def begin(self) -> _Child | None:
        """Start the first job that can be started and take it off the list; None if none can."""
        job = next((j for j in self.jobs if not self._is_busy(j)), None)
        if job is None:
            return None
        gpu = None if self._gpus is None else self._gpus.take()
        if self._gpus is not None and gpu is None:
            return None
        self.jobs.remove(job)
        try:
            return _Child(job, gpu)
        except BaseException:
            if gpu is not None:
                gpu.release()
            raise

    def _is_busy(self, job: Job) -> bool:
        """Whether another process trains there: perhaps the child of a sweep that was killed, about to end."""
        if not job.run.is_locked():
            return False
        since = self._busy_since.setdefault(job.name, time.monotonic())
        return time.monotonic() - since < LOCKED_SECONDS  # then its script says so


def _share(run: RunFolder) -> float:
    """How much of a run is done, as it says itself."""
    status = read_status(run)
    try:
        return min(float(status["decisions"] / status["decisions_total"]), 1.0)
    except (KeyError, TypeError, ZeroDivisionError):
        return 0.0
