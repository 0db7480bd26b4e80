"""How much memory there is, before it is asked for.

The system hands out memory that it does not have, and takes the process for it later.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


class NotEnoughMemoryError(ValueError):
    """What was asked for needs more memory than is left."""


@dataclass(frozen=True)
class Need:
    """A part of what is needed.

    Attributes:
        what: Needs it.
        bytes: How much.
        remedy: Options to make smaller.
    """

    what: str
    bytes: int
    remedy: str


def refuse_what_does_not_fit(*needs: Need) -> None:
    """Refuse to begin what would need more memory than is left, all parts added up.

    Raises:
        NotEnoughMemoryError: Naming the first part that does not fit beside those before it.
    """
    left = available_bytes()
    for need in needs:
        if need.bytes > left:
            raise NotEnoughMemoryError(
                f"{need.what} needs {need.bytes / 2**30:.1f} GiB, {left / 2**30:.1f} are left;"
                f" choose a smaller {need.remedy}"
            )
        left -= need.bytes


def available_bytes(proc: Path = Path("/proc"), cgroups: Path = Path("/sys/fs/cgroup")) -> int:
    """What is left of the memory, and no more than the control groups of this process (a container's) may use.

    Args:
        proc: Where the system tells of processes.
        cgroups: Where it tells of control groups, version 1 or 2.
    """
    left = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for line in _lines(proc / "meminfo"):
        if line.startswith("MemAvailable:"):
            left = int(line.split()[1]) * 1024
    return min([left, *_group_limits(proc, cgroups)])


def _group_limits(proc: Path, cgroups: Path) -> list[int]:
    """Limits of the groups that this process is in, and of those around them."""
    limits = []
    for line in _lines(proc / "self" / "cgroup"):
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            top, name = cgroups, "memory.max"
        elif "memory" in controllers.split(","):
            top, name = cgroups / "memory", "memory.limit_in_bytes"
        else:
            continue
        inner = top / path.lstrip("/")
        for folder in (inner, *inner.parents):
            limits += [int(x) for x in _lines(folder / name) if x.isdecimal()]  # or "max"
            if folder == top:
                break
    return limits


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
