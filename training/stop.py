"""A wish to stop: asked for by anybody at any time, granted at the next moment at which nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class InterruptedTaskError(Exception):
    """Work that is made again by who resumes was given up."""


class Stop:
    """Whether a run is to stop.

    Attributes:
        asked: Whether `ask` was called.
    """

    def __init__(self) -> None:
        self.asked = False
        self._interruptible = False

    def ask(self) -> None:
        """Stop soon. Called from a signal's handler, it ends what is `interruptible` at once."""
        self.asked = True
        if self._interruptible:
            raise InterruptedTaskError

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Work that takes long, and that who resumes makes again: a stop ends it.

        Raises:
            InterruptedTaskError: If a stop is or was asked for.
        """
        try:
            self._interruptible = True
            if self.asked:
                raise InterruptedTaskError
            yield
        finally:
            self._interruptible = False
