"""Exit codes of the scripts, and error messages of one line."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

EXIT_FAILED = 1
EXIT_BAD_INPUT = 2
EXIT_STOPPED = (
    3  # stopped before the end, for example by SIGTERM or SIGINT; a trainer has saved a checkpoint
)


def exit_with_error(problem: object, code: int = EXIT_BAD_INPUT) -> NoReturn:
    """Print the problem as one line on stderr and exit.

    Args:
        problem: The message, or an exception.
        code: The exit code.

    Raises:
        SystemExit: Always.
    """
    if isinstance(problem, OSError) and problem.filename and problem.strerror:
        problem = f"{problem.filename}: {problem.strerror}"
    print(f"error: {problem}", file=sys.stderr)
    raise SystemExit(code)


def raise_on_ctrl_c() -> None:
    """Make SIGINT raise KeyboardInterrupt again, which `system.startup` turned off; an ignored SIGINT stays ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn errors into one line: exit code 2 for a ValueError (bad input), 1 for an OSError, 3 for Ctrl-C."""
    raise_on_ctrl_c()
    try:
        yield
    except ValueError as e:
        exit_with_error(e)
    except OSError as e:
        exit_with_error(e, EXIT_FAILED)
    except KeyboardInterrupt:
        raise SystemExit(EXIT_STOPPED) from None
