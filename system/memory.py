"""Checks that there is enough memory before it is allocated.

Linux overcommits memory: an allocation succeeds even if there is not enough, and the process is killed when it uses it.
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
    """An amount of memory that is needed.

    Attributes:
        what: What needs it.
        bytes: Number of bytes.
        remedy: The options to reduce if there is not enough.
    """

    what: str
    bytes: int
    remedy: str


def check_available_memory(*needs: Need) -> None:
    """Check that there is enough memory for all needs together.

    Raises:
        NotEnoughMemoryError: If not; the message names the first need that does not fit in addition to those before.
    """
    left = available_bytes()
    for need in needs:
        if need.bytes > left:
            raise NotEnoughMemoryError(
                f"{need.what} needs {need.bytes / 2**30:.1f} GiB, but only {left / 2**30:.1f} GiB are available;"
                f" choose a smaller {need.remedy}"
            )
        left -= need.bytes


def available_bytes(proc: Path = PROC, cgroups: Path = CGROUPS) -> int:
    """Return the available memory in bytes: the machine's, or less if a control group of this process limits it.

    Args:
        proc: The /proc file system.
        cgroups: The cgroup file system, version 1 or 2.
    """
    left = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for line in lines(proc / "meminfo"):
        if line.startswith("MemAvailable:"):
            left = int(line.split()[1]) * 1024
    return max(min([left, *_left_in_groups(proc, cgroups)]), 0)


def address_space_bytes() -> int | None:
    """Return the limit of a process's address space in bytes (`ulimit -v`); None if there is no limit."""
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if soft == resource.RLIM_INFINITY else soft


def check_address_space(what: str, needed: int) -> None:
    """Check that the limit of the address space is high enough.

    Args:
        what: What needs the address space, for the message.
        needed: Number of bytes.

    Raises:
        NotEnoughMemoryError: If not; the message has both figures.
    """
    limit = address_space_bytes()
    if limit is not None and limit < needed:
        raise NotEnoughMemoryError(
            f"{what} needs {needed / 2**30:.1f} GiB of address space,"
            f" but the limit is {limit / 2**30:.1f} GiB (ulimit -v); raise it"
        )


def _left_in_groups(proc: Path, cgroups: Path) -> list[int]:
    """Return, for every control group with a limit, the limit minus the usage that cannot be reclaimed, in bytes."""
    left = []
    for group in groups("memory", proc, cgroups):
        for limit_name, use_name, cache_name in (
            ("memory.max", "memory.current", "inactive_file"),  # version 2
            ("memory.high", "memory.current", "inactive_file"),  # above it, processes are throttled
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),  # version 1
        ):
            if (limit := number(group / limit_name)) is not None:
                used = number(group / use_name) or 0
                left.append(limit - max(used - _cache(group, cache_name), 0))
    return left


def _cache(group: Path, name: str) -> int:
    """Return the size of a group's reclaimable file cache in bytes."""
    for line in lines(group / "memory.stat"):
        key, _, value = line.partition(" ")
        if key == name:
            return int(value)
    return 0
