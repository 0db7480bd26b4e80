"""How far something is: a bar on a terminal, a line every five seconds in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

LINE_SECONDS = 5.0
Tell = Callable[[float, int], None]


@contextmanager
def progress(what: str, unit: str) -> Iterator[Tell]:
    """On stderr, for stdout is for results.

    Args:
        what: Is being done.
        unit: What is counted, in the plural.

    Yields:
        To be called several times a second with how many are done and how many there are, also if nothing changed;
        a half is half done.
    """
    if sys.stderr is not None and sys.stderr.isatty():
        with Progress(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(escape(what))
            yield lambda done, total: bar.update(task, completed=done, total=total)
        return
    began = told = time.monotonic()

    def tell(done: float, total: int) -> None:
        nonlocal told
        if (now := time.monotonic()) - told >= LINE_SECONDS:
            told = now
            say(f"{what}: {done / total:.0%} of {total} {unit} after {now - began:.0f} s")

    yield tell


def say(line: str) -> None:
    """A line on stderr; whether anybody reads it decides over nothing."""
    if sys.stderr is not None:  # it is None where it was closed before Python began
        with suppress(OSError, ValueError):
            print(line, file=sys.stderr, flush=True)
