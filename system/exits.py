"""How a script says no."""

from __future__ import annotations

import io
import sys
from typing import NoReturn

EXIT_FAILED = 1
EXIT_BAD_INPUT = 2
EXIT_STOPPED = 3  # by SIGTERM or SIGINT, with a checkpoint


def say_anything() -> None:
    """Write what the terminal's encoding does not have as an escape, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def refuse(problem: object, code: int = EXIT_BAD_INPUT) -> NoReturn:
    """Say one line and end."""
    if isinstance(problem, OSError) and problem.filename and problem.strerror:
        problem = f"{problem.filename}: {problem.strerror}"
    print(f"error: {problem}", file=sys.stderr)
    raise SystemExit(code)
