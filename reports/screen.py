"""The console that tables are printed on."""

from __future__ import annotations

from rich.console import Console

WIDTH = 160  # characters, if the output is not a terminal


def console() -> Console:
    """Make a console as wide as the terminal, or WIDTH characters wide if the output is not a terminal."""
    screen = Console(highlight=False)
    return screen if screen.is_terminal else Console(highlight=False, width=WIDTH)
