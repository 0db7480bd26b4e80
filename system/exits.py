"""How a script says no."""

from __future__ import annotations

import sys
from typing import NoReturn

EXIT_FAILED = 1
EXIT_BAD_INPUT = 2
EXIT_STOPPED = 3  # by SIGTERM or SIGINT, with a checkpoint


def refuse(problem: object, code: int = EXIT_BAD_INPUT) -> NoReturn:
    """Say one line and end."""
    if isinstance(problem, OSError) and problem.filename and problem.strerror:
        problem = f"{problem.filename}: {problem.strerror}"
    print(f"error: {problem}", file=sys.stderr)
    raise SystemExit(code)
