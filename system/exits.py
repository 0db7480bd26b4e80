"""How a script says no."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
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


def raise_on_ctrl_c() -> None:
    """From now on SIGINT raises KeyboardInterrupt, which `system.startup` put off; ignored stays ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Bad input is one line and exit code 2, what the system does not give exit code 1, Ctrl-C exit code 3."""
    raise_on_ctrl_c()
    try:
        yield
    except ValueError as e:
        refuse(e)
    except OSError as e:
        refuse(e, EXIT_FAILED)
    except KeyboardInterrupt:
        raise SystemExit(EXIT_STOPPED) from None
