"""Control groups (cgroups): the limits that a container, a batch system or systemd sets for this process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")
CGROUPS = Path("/sys/fs/cgroup")


def groups(controller: str, proc: Path = PROC, cgroups: Path = CGROUPS) -> Iterator[Path]:
    """Yield the folders of this process's control groups and of all their parents, innermost first.

    Args:
        controller: `memory` or `cpu`. In version 2, all controllers have the same folders.
        proc: The /proc file system.
        cgroups: The cgroup file system, version 1 or 2, or both.
    """
    for line in lines(proc / "self" / "cgroup"):
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            tops = [cgroups, cgroups / "unified"]  # the second if version 1 is mounted, too
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
    """Read the whole number in a file; None if there is no such file, or it contains a word such as `max`."""
    text = " ".join(lines(path)).strip()
    return int(text) if text.isdecimal() else None


def lines(path: Path) -> list[str]:
    """Read the lines of a file; none if it cannot be read."""
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
