"""The scripts through their real command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
Value = str | int | float | tuple[int, ...]
TINY: dict[str, Value] = {
    "seed": 7,
    "actors": 2,
    "cars": 4,
    "slots_per_tick": 8,
    "height": 16,
    "width": 20,
    "stack": 2,
    "convolutions": (4, 4, 2),
    "dense": 16,
    "batch_size": 16,
    "updates_per_tick": 3,
    "target_update_period": 20,
    "learn_from": 256,
    "replay_decisions": 1600,
    "epsilon_decisions": 2000,
    "decisions": 3072,
    "checkpoint_every": 1000,
    "validate_every": 1000000,
    "validation_tracks": 2,
    "test_episodes": 0,
    "workers": 0,
    "device": "cpu",
}


def arguments(**changes: Value) -> list[str]:
    """Options of a run that takes seconds; its replay wraps around."""
    line = []
    for name, value in (TINY | changes).items():
        words = value if isinstance(value, tuple) else (value,)
        line += [f"--{name.replace('_', '-')}", *map(str, words)]
    return line


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
