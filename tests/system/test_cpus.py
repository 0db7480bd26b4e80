"""How many CPUs may be used, as the system and the control groups tell."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from system.cpus import usable_cpus
from tests.support.command_line import ROOT

MANY = 4096  # more than any machine has that this is tested on


def proc(folder: Path, groups: str) -> Path:
    """A /proc of somebody in these control groups."""
    (folder / "self").mkdir(parents=True)
    (folder / "self" / "cgroup").write_text(groups)
    return folder


def quota(folder: Path, **files: str) -> None:
    """Write files of a group; `__` in a name is a dot."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text + "\n")


@pytest.fixture
def many_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which only the groups limit."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(MANY)))


def test_without_groups_it_is_the_affinity(tmp_path: Path) -> None:
    assert usable_cpus(tmp_path / "nothing", tmp_path) == len(os.sched_getaffinity(0))


def test_of_a_process_that_may_use_one() -> None:
    """A real one; os.cpu_count() would say otherwise."""
    code = "import os; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])\n"
    code += "from system.cpus import usable_cpus; print(usable_cpus())"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("1\n", "")


@pytest.mark.usefixtures("many_cpus")
@pytest.mark.parametrize(
    ("inner", "outer", "usable"),
    [
        ("max 100000", "max 100000", MANY),
        ("300000 100000", "max 100000", 3),
        ("250000 100000", "max 100000", 3),  # two and a half: the third is not idle
        ("10000 100000", "max 100000", 1),  # a tenth
        ("600000 100000", "200000 100000", 2),
        ("max", "100000 50000", 2),
        ("rubbish", "300000 0", MANY),
    ],
)
def test_groups_of_version_2(tmp_path: Path, inner: str, outer: str, usable: int) -> None:
    there = proc(tmp_path / "proc", "0::/user/job\n")
    quota(tmp_path / "user" / "job", cpu__max=inner)
    quota(tmp_path / "user", cpu__max=outer)
    assert usable_cpus(there, tmp_path) == usable


@pytest.mark.usefixtures("many_cpus")
def test_in_a_container_the_own_group_is_the_top(tmp_path: Path) -> None:
    there = proc(tmp_path / "proc", "0::/docker/4711\n")
    quota(tmp_path, cpu__max="400000 100000")
    assert usable_cpus(there, tmp_path) == 4


@pytest.mark.usefixtures("many_cpus")
@pytest.mark.parametrize(("inner", "usable"), [("-1", 6), ("150000", 2)])
def test_groups_of_version_1(tmp_path: Path, inner: str, usable: int) -> None:
    there = proc(tmp_path / "proc", "5:cpu,cpuacct:/job\n4:memory:/job\n3:cpuset:/job\n0::/\n")
    for folder, us in ((tmp_path / "cpu" / "job", inner), (tmp_path / "cpu", "600000")):
        quota(folder, cpu__cfs_quota_us=us, cpu__cfs_period_us="100000")
    quota(tmp_path / "cpuset" / "job", cpu__cfs_quota_us="1000", cpu__cfs_period_us="1000")
    assert usable_cpus(there, tmp_path) == usable


def test_the_affinity_counts_where_the_quota_is_larger(tmp_path: Path) -> None:
    there = proc(tmp_path / "proc", "0::/\n")
    quota(tmp_path, cpu__max=f"{MANY * 1000} 1000")
    assert usable_cpus(there, tmp_path) == len(os.sched_getaffinity(0))
