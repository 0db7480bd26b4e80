"""Shows the progress of a long task: a bar on a terminal, or a line every five seconds in a log file."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

LINE_SECONDS = 5.0
OnProgress = Callable[[float, int], None]


def no_progress(done: float, total: int) -> None:
    """For a task whose progress nobody wants to see."""


@contextmanager
def progress(what: str, unit: str) -> Iterator[OnProgress]:
    """Show progress on stderr; stdout is for results.

    Args:
        what: What is being done.
        unit: What is counted, in the plural.

    Yields:
        A function to call several times a second, even if nothing changed, with the number done (which may be a
        fraction) and the total.
    """
    if sys.stderr is not None and sys.stderr.isatty():
        with Progress(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(escape(what))
            yield lambda done, total: bar.update(task, completed=done, total=total)
        return
    began = printed = time.monotonic()

    def on_progress(done: float, total: int) -> None:
        nonlocal printed
        if (now := time.monotonic()) - printed >= LINE_SECONDS:
            printed = now
            notify(f"{what}: {done / total:.0%} of {total} {unit} after {now - began:.0f} s")

    yield on_progress


def notify(line: str) -> None:
    """Print a message on stderr; errors are ignored, for example if stderr was closed."""
    if sys.stderr is not None:  # None if it was closed before Python started
        with suppress(OSError, ValueError):
            print(line, file=sys.stderr, flush=True)
