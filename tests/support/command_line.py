"""The scripts through their real command line."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.support.fork_server import Script

ROOT = Path(__file__).parents[2]
Value = str | int | float | tuple[int, ...]
# The preset `smoke` on one core, without what it drives at its end.
DEFAULTS: dict[str, Value] = {
    "preset": "smoke",
    "seed": 7,
    "workers": 0,
    "device": "cpu",
    "validate_every": 10**6,  # once, at the end
    "greedy_frame_skip": 4,  # half as many decisions in a validation
    "test_episodes": 0,
}


def arguments(**changes: Value) -> list[str]:
    """Options of a run that takes seconds."""
    line = []
    for name, value in (DEFAULTS | changes).items():
        words = value if isinstance(value, tuple) else (value,)
        line += [f"--{name.replace('_', '-')}", *map(str, words)]
    return line


def start(script: str, *options: str) -> Script:
    """Begin a script, all it imports already loaded, in a process group of its own."""
    return Script(script, *options)


def start_from_nothing(script: str, *options: str) -> subprocess.Popen[str]:
    """The same by a new Python, which takes seconds to load TensorFlow."""
    return subprocess.Popen(
        [sys.executable, f"{script}.py", *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str] | Script, code: int = 0) -> str:
    """Wait for its end with this exit code, and give what it said."""
    out, err = process.communicate(timeout=900)
    assert process.returncode == code, out + err
    assert "Traceback" not in err
    return out


def wait_until(process: subprocess.Popen[str] | Script, what: Callable[[], object]) -> None:
    """Until something is so; the process must live as long."""
    while not what():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


def files_below(folder: Path) -> list[Path]:
    """All files and folders."""
    return sorted(folder.rglob("*"))
