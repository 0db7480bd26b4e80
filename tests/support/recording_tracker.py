"""A tracker with the API of wandb and trackio that keeps what it is given in a file, and is as bad as it is told to be.

TRACKER_FILE is the file, a JSON line per call. TRACKER_MANNERS says how it behaves: `hang:CALL` never returns from a
call, `fail:CALL` raises from it, `slow` takes half a second for each point.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any


class Video:
    """A film in a file."""

    def __init__(self, value: str, format: str) -> None:
        self.size, self.format = len(Path(value).read_bytes()), format


class Run:
    """Where points go."""

    def log(self, values: dict[str, Any], step: int) -> None:
        """A point."""
        plain = {k: [v.format, v.size] if isinstance(v, Video) else v for k, v in values.items()}
        note("log", step=step, values=plain)

    def log_artifact(self, path: str, name: str, type: str) -> None:
        """A file."""
        note("log_artifact", name=name, type=type, content=json.loads(Path(path).read_text()))

    def finish(self) -> None:
        """The end."""
        note("finish")


def init(**arguments: Any) -> Run:
    """A run begins, or goes on."""
    note("init", **arguments)
    return Run()


def note(call: str, **what: Any) -> None:
    """Keep it, and behave."""
    manners = os.environ.get("TRACKER_MANNERS", "")
    print("trackers talk", call, flush=True)
    print("on both streams", file=sys.stderr, flush=True)
    if manners == f"hang:{call}":
        time.sleep(10**6)
    if manners == f"fail:{call}":
        raise ConnectionError(f"no way to {call} with {os.environ.get('TRACKER_API_KEY')}\nmore")
    if manners == "slow" and call == "log":
        time.sleep(0.5)
    line = json.dumps({"call": call, **what, "pid": os.getpid()}) + "\n"
    with Path(os.environ["TRACKER_FILE"]).open("a") as file:
        file.write(line)
