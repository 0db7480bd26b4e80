"""How many processors a process may use: with a real affinity mask, a real control group, and what systems write."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from system.cpus import usable_cpus
from tests.support.command_line import ROOT
from tests.support.groups import JOIN, pretend, real_group

COUNT = "from system.cpus import usable_cpus; print(usable_cpus())"


def counted(code: str, *arguments: str) -> int:
    """What a program of its own counts."""
    command = [sys.executable, "-c", code, *arguments]
    return int(subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout)


def test_it_is_what_the_affinity_mask_leaves() -> None:
    allowed = os.sched_getaffinity(0)
    assert counted(COUNT) <= len(allowed)
    pin = f"import os; os.sched_setaffinity(0, {{{min(allowed)}}})\n"
    assert counted(pin + COUNT) == 1


def test_a_real_quota() -> None:
    """Half a processor is one; without the group it is more, or this shows nothing."""
    if usable_cpus() < 2:
        pytest.skip("there is one processor in any case")
    with real_group(
        "cpu",
        {"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "50000"},
        {"cpu.max": "50000 100000"},
    ) as group:
        assert counted(JOIN + COUNT, str(group / "cgroup.procs")) == 1


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        ("0::/user/job", {"user/job/cpu.max": "max 100000"}, 16),
        ("0::/user/job", {"user/job/cpu.max": "300000 100000"}, 3),
        ("0::/user/job", {"user/job/cpu.max": "150000 100000"}, 2),
        ("0::/user/job", {"user/job/cpu.max": "1000 100000"}, 1),
        ("0::/user/job", {"user/job/cpu.max": "max 100000", "user/cpu.max": "500000 100000"}, 5),
        ("0::/docker/4711", {"cpu.max": "200000 100000"}, 2),  # the own group is the top
        ("0::/job", {"job/cpu.max": ""}, 16),
        (
            "4:cpu,cpuacct:/job\n0::/",
            {
                "cpu,cpuacct/job/cpu.cfs_quota_us": "250000",
                "cpu,cpuacct/job/cpu.cfs_period_us": "100000",
            },
            3,
        ),
        (
            "3:cpu:/job",
            {"cpu/job/cpu.cfs_quota_us": "-1", "cpu/job/cpu.cfs_period_us": "100000"},
            16,
        ),
        (
            "3:cpuset:/job\n2:memory:/job",
            {"cpu/job/cpu.cfs_quota_us": "100000", "cpu/job/cpu.cfs_period_us": "100000"},
            16,
        ),
        ("", {}, 16),
    ],
)
def test_quotas(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    groups: str,
    files: dict[str, str],
    expected: int,
) -> None:
    """On a machine of 16 processors."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(16)))
    proc = pretend(tmp_path / "proc", {"self/cgroup": groups})
    assert usable_cpus(proc, pretend(tmp_path / "cgroup", files)) == expected
