"""The number of CPUs that this process may use, which may be smaller than the machine's."""

from __future__ import annotations

import os
from pathlib import Path

from system.cgroups import CGROUPS, PROC, groups, lines, number


def usable_cpus(proc: Path = PROC, cgroups: Path = CGROUPS) -> int:
    """Count the usable CPUs, given CPU affinity (`taskset`, a batch system) and cgroup quotas (a container).

    A quota is rounded up: one and a half CPUs keep two processes busy.

    Args:
        proc: The /proc file system.
        cgroups: The cgroup file system, version 1 or 2.

    Returns:
        The number of CPUs, at least 1.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(min([allowed or 1, *_quotas(proc, cgroups)]), 1)


def _quotas(proc: Path, cgroups: Path) -> list[int]:
    found = []
    for group in groups("cpu", proc, cgroups):
        both = " ".join(lines(group / "cpu.max")).split()  # version 2: "150000 100000"
        if len(both) == 2 and both[0].isdecimal():
            quota, period = (int(x) for x in both)
        else:
            quota = number(group / "cpu.cfs_quota_us") or 0  # version 1; -1 for none
            period = number(group / "cpu.cfs_period_us") or 0
        if quota > 0 and period > 0:
            found.append(-(-quota // period))
    return found
