"""Control groups: the limits that a container, a batch system or systemd sets for this process and others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")
CGROUPS = Path("/sys/fs/cgroup")


def groups(controller: str, proc: Path = PROC, cgroups: Path = CGROUPS) -> Iterator[Path]:
    """Folders of the groups that this process is in and of those around them, the innermost first.

    Args:
        controller: `memory` or `cpu`. With version 2 all controllers have the same folders.
        proc: Where the system tells of processes.
        cgroups: Where it tells of control groups, version 1 or 2, or both.
    """
    for line in lines(proc / "self" / "cgroup"):
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            tops = [cgroups, cgroups / "unified"]  # the second beside version 1
        elif controller in controllers.split(","):
            tops = [cgroups / controller, cgroups / controllers]  # one is often a link to the other
        else:
            continue
        for top in dict.fromkeys(tops):
            inner = top / path.lstrip("/")
            for folder in (inner, *inner.parents):
                yield folder
                if folder == top:
                    break


def number(path: Path) -> int | None:
    """The whole number in a file, or None if there is no file, or a word like `max`."""
    text = " ".join(lines(path)).strip()
    return int(text) if text.isdecimal() else None


def lines(path: Path) -> list[str]:
    """Of a file that may not be there."""
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
