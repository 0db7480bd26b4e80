"""Commands as the user would type them here."""

from __future__ import annotations

import shlex
import sys
from contextlib import suppress
from pathlib import Path


def command(script: str, *arguments: str | Path) -> str:
    """A command line that runs a script of ours with the Python that runs now."""
    words = [script, *map(str, arguments)]
    python = Path(sys.executable)
    with suppress(OSError, ValueError):  # no folder to be in any more, or Python is elsewhere
        python = python.relative_to(Path.cwd())
    return shlex.join([str(python), *words])
