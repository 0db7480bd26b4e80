"""Runs calls in child processes that never outlive their parent, even if it is killed."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.context import SpawnContext, SpawnProcess
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from system.processes import blocked_signals, cause_of_death, end_with_parent

LAST_WORDS_SECONDS = 5.0
Answer = TypeVar("Answer")


@contextmanager
def in_processes(
    calls: Sequence[Callable[[], Answer]],
    processes: int,
    hint: str,
    begin: Callable[[], object] | None = None,
) -> Iterator[list[Future[Answer]]]:
    """Run calls in child processes, which are killed at the end of the block even if they are still busy.

    The child processes ignore Ctrl-C.

    Args:
        calls: The calls; they and their results must be picklable.
        processes: The largest number of processes.
        hint: What the user can do if a process dies, for the error message.
        begin: Called first in each process, if given; must be picklable.

    Yields:
        The futures of the calls, in order.

    Raises:
        ChildProcessError: If the block waited for a process that died; the message says why.
    """
    context = _Remembering()
    count = min(processes, len(calls))
    executor = ProcessPoolExecutor(count, context, _begin, (begin,))
    try:
        with blocked_signals(signal.SIGINT):
            futures = [executor.submit(call) for call in calls]
        yield futures
    except BrokenExecutor:
        raise ChildProcessError(f"a process was {_why(context.started())}; {hint}") from None
    finally:
        for process in context.started():
            process.kill()
        executor.shutdown()  # waits for its thread, because an unfinished shutdown may fail when Python exits


class _Remembering(SpawnContext):
    """Keeps every process that it creates, because `multiprocessing.active_children` forgets those that died."""

    def __init__(self) -> None:
        super().__init__()
        self._made: list[BaseProcess] = []

    def Process(self, *args: Any, **kwargs: Any) -> SpawnProcess:  # type: ignore[override]  # noqa: N802
        """Create a process and remember it; it is not started yet."""
        process = SpawnProcess(*args, **kwargs)
        self._made.append(process)
        return process

    def started(self) -> list[BaseProcess]:
        """Return the processes that were started."""
        return [process for process in self._made if process.pid is not None]


def _begin(begin: Callable[[], object] | None) -> None:
    end_with_parent()
    if begin is not None:
        begin()


def _why(processes: Sequence[BaseProcess]) -> str:
    """Return why the first of the processes died; the executor then terminates the others by SIGTERM."""
    end = time.monotonic() + LAST_WORDS_SECONDS
    # The executor's thread waits for them, too, so an exit code that it has just collected may appear late.
    while any(p.exitcode is None for p in processes) and time.monotonic() < end:
        time.sleep(0.01)
    codes = sorted(
        {p.exitcode for p in processes if p.exitcode}, key=lambda c: c == -signal.SIGTERM
    )
    return cause_of_death(codes[0] if codes else None)
