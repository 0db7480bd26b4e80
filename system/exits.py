"""How scripts end: exit codes, and errors of one line."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

EXIT_FAILED = 1
EXIT_BAD_INPUT = 2
EXIT_STOPPED = 3  # by SIGTERM or SIGINT, with a checkpoint


def exit_with_error(problem: object, code: int = EXIT_BAD_INPUT) -> NoReturn:
    """Print the problem in one line and exit."""
    if isinstance(problem, OSError) and problem.filename and problem.strerror:
        problem = f"{problem.filename}: {problem.strerror}"
    print(f"error: {problem}", file=sys.stderr)
    raise SystemExit(code)


def raise_on_ctrl_c() -> None:
    """From now on SIGINT raises KeyboardInterrupt, which `system.startup` put off; ignored stays ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Errors become one line: exit code 2 for bad input, 1 for an error of the system; Ctrl-C is exit code 3."""
    raise_on_ctrl_c()
    try:
        yield
    except ValueError as e:
        exit_with_error(e)
    except OSError as e:
        exit_with_error(e, EXIT_FAILED)
    except KeyboardInterrupt:
        raise SystemExit(EXIT_STOPPED) from None
