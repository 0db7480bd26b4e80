"""Calls in processes of their own that end with whom they work for, however that ends."""

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
    """Run calls in processes, which are killed at the end of the block: nobody waits for what nobody wants any more.

    Ctrl-C does not reach them.

    Args:
        calls: What to do; each can be pickled, and so can its answer.
        processes: How many at once, at most.
        hint: What to do when one of them died, for the error message.
        begin: Called first in each process, if there is something to begin with; can be pickled.

    Yields:
        Their futures, in order.

    Raises:
        ChildProcessError: In the block, where it waits for a process that died; why it did.
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
        executor.shutdown()  # waits: half-way through, Python's clean-up at exit may fail over it


class _Remembering(SpawnContext):
    """Keeps every process that it makes, for `multiprocessing.active_children` forgets those that died."""

    def __init__(self) -> None:
        super().__init__()
        self._made: list[BaseProcess] = []

    def Process(self, *args: Any, **kwargs: Any) -> SpawnProcess:  # type: ignore[override]  # noqa: N802
        """A process, not started yet."""
        process = SpawnProcess(*args, **kwargs)
        self._made.append(process)
        return process

    def started(self) -> list[BaseProcess]:
        """Those that were."""
        return [process for process in self._made if process.pid is not None]


def _begin(begin: Callable[[], object] | None) -> None:
    end_with_parent()
    if begin is not None:
        begin()


def _why(processes: Sequence[BaseProcess]) -> str:
    """Why the first of them died; the executor then ends the others by SIGTERM."""
    end = time.monotonic() + LAST_WORDS_SECONDS
    # The executor's thread waits for them, too: the code that it has just taken is not there at once.
    while any(p.exitcode is None for p in processes) and time.monotonic() < end:
        time.sleep(0.01)
    codes = sorted(
        {p.exitcode for p in processes if p.exitcode}, key=lambda c: c == -signal.SIGTERM
    )
    return cause_of_death(codes[0] if codes else None)
