"""A sink for commands that train nothing: it prints messages only."""

from __future__ import annotations

from system.progress import notify
from training.tracking.run_log import Sink


class Lines(Sink):
    """Prints messages to stderr."""

    def notify(self, text: str) -> None:
        """Print it."""
        notify(text)
