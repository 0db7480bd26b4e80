"""A sink for commands that do not train: it only prints messages."""

from __future__ import annotations

from system.progress import notify
from training.tracking.run_log import Sink


class Lines(Sink):
    """Prints messages to stderr."""

    def notify(self, text: str) -> None:
        """Print the message."""
        notify(text)
