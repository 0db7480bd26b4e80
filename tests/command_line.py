"""The scripts through their real command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
TINY = {
    "seed": "7",
    "actors": "2",
    "cars": "4",
    "slots-per-tick": "8",
    "height": "16",
    "width": "20",
    "stack": "2",
    "convolutions": "4 4 2",
    "dense": "16",
    "batch-size": "16",
    "updates-per-tick": "3",
    "target-update-period": "20",
    "learn-from": "256",
    "replay-decisions": "1600",
    "epsilon-decisions": "2000",
    "decisions": "3072",
    "checkpoint-every": "1000",
    "validate-every": "1000000",
    "validation-tracks": "2",
    "test-episodes": "0",
    "workers": "0",
    "device": "cpu",
}


def arguments(**changes: str | int) -> list[str]:
    """Options of a run that takes seconds; its replay wraps around."""
    options = TINY | {name.replace("_", "-"): str(value) for name, value in changes.items()}
    return [part for name, value in options.items() for part in (f"--{name}", *value.split(" "))]


def start(script: str, *options: str) -> subprocess.Popen[str]:
    """Begin a script in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, f"{script}.py", *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def files_below(folder: Path) -> list[Path]:
    """All files and folders."""
    return sorted(folder.rglob("*"))
