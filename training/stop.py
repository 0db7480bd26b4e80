"""A request to stop: it can come at any time, and is met at the next moment at which no work is lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class InterruptedTaskError(Exception):
    """Work was interrupted that a resumed run repeats."""


class Stop:
    """Holds whether a run is to stop.

    Attributes:
        asked: Whether `ask` was called.
    """

    def __init__(self) -> None:
        self.asked = False
        self._interruptible = False

    def ask(self) -> None:
        """Request a stop. Called from a signal handler, it interrupts `interruptible` work at once."""
        self.asked = True
        if self._interruptible:
            raise InterruptedTaskError

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Mark long work that a resumed run repeats: a stop interrupts it.

        Raises:
            InterruptedTaskError: If a stop was or is requested.
        """
        try:
            self._interruptible = True
            if self.asked:
                raise InterruptedTaskError
            yield
        finally:
            self._interruptible = False
