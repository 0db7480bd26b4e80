"""How much memory is left, as the system and the control groups tell; and a replay that does not fit."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import DDQN
from system.memory import Need, NotEnoughMemoryError, available_bytes, refuse_what_does_not_fit
from training.memory import refuse_run_that_does_not_fit
from training.settings import changed

ROOT = Path(__file__).parents[2]
MIB, GIB = 2**20, 2**30


def system(folder: Path, available_mib: int, groups: str) -> Path:
    """A /proc of somebody in these control groups."""
    (folder / "self").mkdir(parents=True)
    (folder / "meminfo").write_text(f"MemTotal: 99 kB\nMemAvailable:  {available_mib * 1024} kB\n")
    (folder / "self" / "cgroup").write_text(groups)
    return folder


def limit(folder: Path, name: str, value: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(value + "\n")


def test_without_groups_it_is_what_is_left(tmp_path: Path) -> None:
    assert available_bytes(system(tmp_path / "proc", 700, ""), tmp_path) == 700 * MIB
    assert 0 < available_bytes() < os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@pytest.mark.parametrize(
    ("inner", "outer", "left"), [("max", "max", 700), ("300", "max", 300), ("600", "200", 200)]
)
def test_groups_of_version_2(tmp_path: Path, inner: str, outer: str, left: int) -> None:
    proc = system(tmp_path / "proc", 700, "0::/user/job\n")
    for path, value in ((tmp_path / "user" / "job", inner), (tmp_path / "user", outer)):
        limit(path, "memory.max", value if value == "max" else str(int(value) * MIB))
    assert available_bytes(proc, tmp_path) == left * MIB


def test_in_a_container_the_own_group_is_the_top(tmp_path: Path) -> None:
    proc = system(tmp_path / "proc", 700, "0::/docker/4711\n")
    limit(tmp_path, "memory.max", str(100 * MIB))
    assert available_bytes(proc, tmp_path) == 100 * MIB


def test_groups_of_version_1(tmp_path: Path) -> None:
    proc = system(tmp_path / "proc", 700, "5:cpu:/job\n4:cpuset,memory:/job\n0::/\n")
    limit(tmp_path / "memory" / "job", "memory.limit_in_bytes", str(50 * MIB))
    limit(tmp_path / "memory", "memory.limit_in_bytes", "9223372036854771712")
    assert available_bytes(proc, tmp_path) == 50 * MIB


def test_needs_are_added_up() -> None:
    """The first that does not fit beside those before it is named."""
    half = Need("this", available_bytes() // 2, "--this")
    refuse_what_does_not_fit(half)
    with pytest.raises(
        NotEnoughMemoryError,
        match=r"^that needs \d+\.\d GiB, \d+\.\d are left; choose a smaller --that$",
    ):
        refuse_what_does_not_fit(half, Need("that", half.bytes + GIB, "--that"), half)


@pytest.mark.parametrize(
    ("too_much", "workers", "named"),
    [
        (
            {"replay_capacity": 10**10},
            1,
            "a replay of 10,000,000,000 decisions .*--replay-capacity",
        ),
        (
            {"dense": (10**5, 10**5)},
            1,
            "training a network of 10,.* weights .*--dense or --convolutions",
        ),
        ({}, 10**5, "driving 16 cars in 100000 processes .*--workers or --cars"),
        ({"cars": 10**5, "replay_capacity": 10**7}, 1, "driving 100000 cars in 1 .*--cars"),
        (
            {"batch_size": 10**7, "learning_starts": 10**7},
            1,
            "learning from 20 batches of 10000000 .*--batch",
        ),
    ],
)
def test_a_run_that_cannot_fit_is_refused_with_the_figure(
    too_much: dict[str, Any], workers: int, named: str
) -> None:
    refuse_run_that_does_not_fit(DDQN.Settings(), 1)
    settings = changed(DDQN.Settings(), **{"height": 8, "width": 8, "convolutions": ()} | too_much)
    with pytest.raises(NotEnoughMemoryError, match=rf"^{named}") as e:
        refuse_run_that_does_not_fit(settings, workers)
    assert re.search(r"needs \d+\.\d GiB, \d+\.\d are left; choose a smaller", str(e.value))


@pytest.fixture
def small_group() -> Iterator[Path]:
    """A real control group that may use 300 MiB."""
    for top, name in (
        (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"),
        (Path("/sys/fs/cgroup"), "memory.max"),
    ):
        group = top / f"carracing-test-{os.getpid()}"
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            (group / name).write_text(str(300 * MIB))
            yield group
            return
        except OSError:
            continue
        finally:
            group.rmdir()
    pytest.skip("this system does not let us make a control group")


def test_a_real_control_group(small_group: Path) -> None:
    """A replay that the machine has room for, but the group has not."""
    code = "import sys, os; open(sys.argv[1], 'w').write(str(os.getpid()))\n"
    code += "import DDQN; from training.memory import refuse_run_that_does_not_fit as refuse\n"
    code += "from training.settings import changed\n"
    code += "refuse(changed(DDQN.Settings(), replay_capacity=200_000), 0)"
    command = [sys.executable, "-c", code, str(small_group / "cgroup.procs")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert "a replay of 200,000 decisions needs 0.4 GiB, 0.3 are left" in done.stderr
