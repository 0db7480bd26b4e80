"""Lines for people alone, for commands that train nothing."""

from __future__ import annotations

from system.progress import say
from training.tracking.run_log import Sink


class Lines(Sink):
    """Prints them to stderr."""

    def say(self, text: str) -> None:
        """One line."""
        say(text)
