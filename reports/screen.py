"""Where tables for people are printed."""

from __future__ import annotations

from rich.console import Console

WIDTH = 160  # of a table that goes into a file


def console() -> Console:
    """As wide as the terminal, or wide enough for a table that goes into a file."""
    screen = Console(highlight=False)
    return screen if screen.is_terminal else Console(highlight=False, width=WIDTH)
