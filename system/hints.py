"""Command lines to show to the user."""

from __future__ import annotations

import shlex
import sys
from contextlib import suppress
from pathlib import Path


def command(script: str, *arguments: str | Path) -> str:
    """Return a command line, quoted for a shell, that runs one of our scripts with the current Python."""
    words = [script, *map(str, arguments)]
    python = Path(sys.executable)
    # Fails if the working directory was deleted, or Python is not below it.
    with suppress(OSError, ValueError):
        python = python.relative_to(Path.cwd())
    return shlex.join([str(python), *words])
