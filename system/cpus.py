"""How many CPUs this process may use, which on a shared machine is not how many there are."""

from __future__ import annotations

import math
import os
from pathlib import Path


def usable_cpus(proc: Path = Path("/proc"), cgroups: Path = Path("/sys/fs/cgroup")) -> int:
    """CPUs of the affinity mask, and no more than the quota of the control groups, rounded up; at least 1.

    Args:
        proc: Where the system tells of processes.
        cgroups: Where it tells of control groups, version 1 or 2.
    """
    return max(min([len(os.sched_getaffinity(0)), *_quotas(proc, cgroups)]), 1)


def _quotas(proc: Path, cgroups: Path) -> list[int]:
    """CPU quotas of the groups that this process is in, and of those around them."""
    quotas = []
    for line in _lines(proc / "self" / "cgroup"):
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        top = cgroups / "cpu" if controllers else cgroups
        inner = top / path.lstrip("/")
        for folder in (inner, *inner.parents):
            names = ("cpu.cfs_quota_us", "cpu.cfs_period_us") if controllers else ("cpu.max",)
            words = [
                word for name in names for line in _lines(folder / name) for word in line.split()
            ]
            if len(words) == 2 and words[0].isdecimal() and words[1].isdecimal() and int(words[1]):
                quotas.append(math.ceil(int(words[0]) / int(words[1])))
            if folder == top:
                break
    return quotas


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
