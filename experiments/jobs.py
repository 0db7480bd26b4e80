"""Trains runs in child processes, several at a time: each is a command line of a script with its own log file.

Each child has its own process group, so that Ctrl-C in a terminal reaches only this process. It then sends one SIGTERM
to each child, which saves a checkpoint and ends with exit code 3. If this process is killed, the kernel sends SIGTERM.
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
LOCKED_SECONDS = 60.0  # to wait for a child of a killed sweep, which still saves a checkpoint
LAST_LINES = 3
LAST_BYTES = 10_000


@dataclass(frozen=True)
class Job:
    """A run to be trained by a child process.

    Attributes:
        name: Name of the run in messages.
        words: The script and its options.
        log: File that its output is appended to.
        run: Folder of the run.
    """

    name: str
    words: tuple[str, ...]
    log: Path
    run: RunFolder


@dataclass(frozen=True)
class Done:
    """The result of a job.

    Attributes:
        job: The job.
        code: Exit code, negative after a signal.
        reason: Why it did not finish; empty if it did.
        seconds: Duration in seconds.
    """

    job: Job
    code: int
    reason: str
    seconds: float


class StoppedError(Exception):
    """A stop was requested before everything was done."""


class UnfinishedError(Exception):
    """A result is missing because a run or process failed or was killed; the message says which one and why."""


def unfinished(bad: Sequence[Done]) -> UnfinishedError:
    """Make an error that names the first of the jobs that failed, and the number of others."""
    first, more = bad[0], f" (and {len(bad) - 1} more)" if bad[1:] else ""
    return UnfinishedError(
        f"{first.job.name}: {first.reason}{more}; the same command line continues"
    )


@contextmanager
def stoppable() -> Iterator[Stop]:
    """Let the first stop signal request a stop of the work in the block.

    Yields:
        The request, which the work must check.

    Raises:
        SystemExit: With exit code 3 after a StoppedError, 1 after an UnfinishedError.
    """
    stop = Stop()
    on_first_stop_signal(stop.ask)
    try:
        yield stop
    except StoppedError:
        print("stopped; the same command line continues")
        raise SystemExit(EXIT_STOPPED) from None
    except UnfinishedError as e:
        exit_with_error(e, EXIT_FAILED)


def workers_each(at_once: int) -> list[str]:
    """Return options that give each of `at_once` simultaneous runs its share of the CPUs.

    One CPU of each share is for the process that learns, the others are for workers.
    """
    return [] if at_once == 1 else ["--workers", str(max(usable_cpus() // at_once - 1, 0))]


def check_jobs(jobs: int | None, devices: tuple[int, ...]) -> int:
    """Return how many runs to train at once: `jobs` but at most one per GPU; by default, one per GPU or just one.

    Raises:
        ValueError: If `jobs` is less than 1.
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
    """Run jobs, several at a time.

    Args:
        jobs: The jobs, which are started in this order; a job whose run is locked waits and lets others go first.
        at_once: The largest number of jobs at a time.
        stop: Checked several times a second; on a stop, the children are told to stop and are waited for.
        gpus: GPUs to learn on, one job on each at a time; if None, the command lines decide.
        ended: Called when a job has ended; returns the text that is printed about it.

    Returns:
        The results, in the order of `jobs`.

    Raises:
        StoppedError: If a stop was requested.
        OSError: If a log cannot be written or a process cannot be started.
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
                    print(f"{child.job.name} started, log in {child.job.log}", flush=True)
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
            for child in running:  # only after an error in this process
                child.process.terminate()
            for child in running:
                child.process.wait()
    if stop.asked:
        raise StoppedError
    return [done[job.name] for job in jobs]


class _Child:
    """A running job."""

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
        """Return the result of a process that has ended, and release its GPU."""
        if self._gpu is not None:
            self._gpu.release()
        code, seconds = self.process.returncode, time.monotonic() - self._began
        if code == 0:
            return Done(self.job, 0, "", seconds)
        # Stopped by this process, by somebody else, or at its --hours.
        if stopping or code == EXIT_STOPPED:
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
    """The jobs that have not been started."""

    def __init__(self, jobs: Sequence[Job], gpus: Gpus | None) -> None:
        self.jobs, self._gpus = list(jobs), gpus
        self._busy_since: dict[str, float] = {}

    def begin(self) -> _Child | None:
        """Start the first job that can be started, and remove it from the queue; None if none can be started now."""
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
        """Return whether another process trains the run, perhaps a child of a killed sweep that is about to end."""
        if not job.run.is_locked():
            return False
        since = self._busy_since.setdefault(job.name, time.monotonic())
        return time.monotonic() - since < LOCKED_SECONDS  # after that, the script reports it


def _share(run: RunFolder) -> float:
    """Return how much of a run is done according to its status.json, 0 to 1."""
    status = read_status(run)
    try:
        return min(float(status["decisions"] / status["decisions_total"]), 1.0)
    except (KeyError, TypeError, ZeroDivisionError):
        return 0.0
