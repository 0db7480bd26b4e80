"""Commands as the user would type them here."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path


def command(script: str, *arguments: str | Path) -> str:
    """A command line that runs a script of ours with the Python that runs now; in a container, what docker is told."""
    words = [script, *map(str, arguments)]
    if os.environ.get("IN_CONTAINER"):
        return "docker run ... carracing-dqn " + shlex.join(words)
    python = Path(sys.executable)
    if python.is_relative_to(Path.cwd()):
        python = python.relative_to(Path.cwd())
    return shlex.join([str(python), *words])
