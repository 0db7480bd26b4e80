"""Control groups to test with: real ones where the system lets us make them, and folders that look like some."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

MIB = 2**20
JOIN = (
    "import os, sys; open(sys.argv.pop(1), 'w').write(str(os.getpid()))\n"  # a program's first line
)


@contextmanager
def real_group(controller: str, *choices: dict[str, str]) -> Iterator[Path]:
    """A real control group with limits; a program joins it by JOIN and the path of its `cgroup.procs`.

    Args:
        controller: `memory` or `cpu`.
        choices: Limits by file name, of version 1 or 2: the first that the system takes.
    """
    for top in (Path("/sys/fs/cgroup") / controller, Path("/sys/fs/cgroup")):
        for limits in choices:
            group = top / f"carracing-test-{os.getpid()}-{time.monotonic_ns()}"
            try:
                group.mkdir()
            except OSError:
                continue
            try:
                for name, value in limits.items():
                    (group / name).write_text(value)
                taken = True
            except OSError:
                taken = False
            try:
                if taken:
                    yield group
                    return
            finally:
                _remove(group)
    pytest.skip(f"this system does not let us make a control group for {controller}")


def _remove(group: Path) -> None:
    """As soon as those that were in it are gone for good, which takes a moment."""
    end = time.monotonic() + 60
    while True:
        try:
            return group.rmdir()
        except OSError:
            assert time.monotonic() < end, f"somebody is still in {group}"
            time.sleep(0.1)


def memory_group(mib: int) -> AbstractContextManager[Path]:
    """A real control group that may use so much memory."""
    limit = str(mib * MIB)
    return real_group("memory", {"memory.limit_in_bytes": limit}, {"memory.max": limit})


def pretend(folder: Path, files: dict[str, str]) -> Path:
    """Files below a folder, by their paths."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text and text + "\n")
    return folder
