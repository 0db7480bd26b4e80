"""How much memory there is, before it is asked for.

The system promises memory that it does not have, and kills the process when it uses it.
"""

from __future__ import annotations

import os
import resource
from dataclasses import dataclass
from pathlib import Path

from system.cgroups import CGROUPS, PROC, groups, lines, number


class NotEnoughMemoryError(ValueError):
    """There is not enough memory."""


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


def check_available_memory(*needs: Need) -> None:
    """Check that there is enough memory for all parts together.

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


def available_bytes(proc: Path = PROC, cgroups: Path = CGROUPS) -> int:
    """What is left of the memory: of the machine's, and of what the control groups of this process may use.

    Args:
        proc: Where the system tells of processes.
        cgroups: Where it tells of control groups, version 1 or 2.
    """
    left = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for line in lines(proc / "meminfo"):
        if line.startswith("MemAvailable:"):
            left = int(line.split()[1]) * 1024
    return max(min([left, *_left_in_groups(proc, cgroups)]), 0)


def address_space_bytes() -> int | None:
    """How much address space a process may have (`ulimit -v`), used or not; None if there is no limit."""
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if soft == resource.RLIM_INFINITY else soft


def check_address_space(what: str, needed: int) -> None:
    """Check that a process may have so much address space.

    Args:
        what: Needs it.
        needed: Bytes.

    Raises:
        NotEnoughMemoryError: With both figures.
    """
    limit = address_space_bytes()
    if limit is not None and limit < needed:
        raise NotEnoughMemoryError(
            f"{what} needs {needed / 2**30:.1f} GiB of address space,"
            f" a process may have {limit / 2**30:.1f} (ulimit -v); raise it"
        )


def _left_in_groups(proc: Path, cgroups: Path) -> list[int]:
    """The limit of every group that this process is in, less what its members use and the system cannot take back."""
    left = []
    for group in groups("memory", proc, cgroups):
        for limit_name, use_name, cache_name in (
            ("memory.max", "memory.current", "inactive_file"),  # version 2
            ("memory.high", "memory.current", "inactive_file"),  # beyond it, everything crawls
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),  # version 1
        ):
            if (limit := number(group / limit_name)) is not None:
                used = number(group / use_name) or 0
                left.append(limit - max(used - _cache(group, cache_name), 0))
    return left


def _cache(group: Path, name: str) -> int:
    """Bytes of files in a group's memory that are read again when they are needed."""
    for line in lines(group / "memory.stat"):
        key, _, value = line.partition(" ")
        if key == name:
            return int(value)
    return 0
