"""How much memory is left, as the system and the control groups tell; and a replay that does not fit."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import DDQN
from system.memory import Need, NotEnoughMemoryError, available_bytes, check_available_memory
from tests.support.groups import JOIN, memory_group, pretend
from training.memory import check_run_memory
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
    check_available_memory(half)
    with pytest.raises(
        NotEnoughMemoryError,
        match=r"^that needs \d+\.\d GiB, but only \d+\.\d GiB are available; choose a smaller --that$",
    ):
        check_available_memory(half, Need("that", half.bytes + GIB, "--that"), half)


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
    check_run_memory(DDQN.Settings(), 1)
    settings = changed(DDQN.Settings(), **{"height": 8, "width": 8, "convolutions": ()} | too_much)
    with pytest.raises(NotEnoughMemoryError, match=named) as e:
        check_run_memory(settings, workers)
    assert re.search(
        r"needs \d+\.\d GiB, but only \d+\.\d GiB are available; choose a smaller", str(e.value)
    )


def test_what_a_group_uses_is_not_left(tmp_path: Path) -> None:
    """But for files, which the system reads again when they are needed."""
    proc = system(tmp_path / "proc", 700, "0::/job\n")
    files = {
        "job/memory.max": str(500 * MIB),
        "job/memory.current": str(300 * MIB),
        "job/memory.stat": f"anon {150 * MIB}\ninactive_file {100 * MIB}\nfile {150 * MIB}",
    }
    assert available_bytes(proc, pretend(tmp_path / "v2", files)) == 300 * MIB
    pretend(tmp_path / "v2", {"job/memory.high": str(250 * MIB)})
    assert available_bytes(proc, tmp_path / "v2") == 50 * MIB
    pretend(tmp_path / "v2", {"job/memory.high": str(150 * MIB)})
    assert available_bytes(proc, tmp_path / "v2") == 0
    proc = system(tmp_path / "older", 700, "4:memory:/job\n")
    files = {
        "memory/job/memory.limit_in_bytes": str(500 * MIB),
        "memory/job/memory.usage_in_bytes": str(300 * MIB),
        "memory/job/memory.stat": f"cache 1\ntotal_inactive_file {50 * MIB}",
    }
    assert available_bytes(proc, pretend(tmp_path / "v1", files)) == 250 * MIB


def test_what_a_real_group_uses_is_not_left() -> None:
    code = JOIN + "from system.memory import available_bytes\n"
    code += "before = available_bytes(); held = bytearray(64 * 2**20); print(before, before - available_bytes())"
    with memory_group(300) as group:
        command = [sys.executable, "-c", code, str(group / "cgroup.procs")]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    before, less = map(int, done.stdout.split())
    assert 200 * MIB < before <= 300 * MIB
    assert 60 * MIB < less < 80 * MIB


def test_a_real_control_group() -> None:
    """A replay that the machine has room for, but the group has not."""
    code = JOIN + "import DDQN; from training.memory import check_run_memory as check\n"
    code += "from training.settings import changed\n"
    code += "check(changed(DDQN.Settings(), replay_capacity=200_000), 0)"
    with memory_group(300) as group:
        command = [sys.executable, "-c", code, str(group / "cgroup.procs")]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert re.search(
        r"a replay of 200,000 decisions needs 0\.4 GiB, but only 0\.[0-3] GiB are available",
        done.stderr,
    )


def test_a_real_limit_of_address_space() -> None:
    code = "from system.memory import address_space_bytes; print(address_space_bytes())"
    for limit, told in (("3000000", str(3000000 * 1024)), ("unlimited", "None")):
        shell = f"ulimit -v {limit} && exec {sys.executable} -c '{code}'"
        done = subprocess.run(["bash", "-c", shell], cwd=ROOT, capture_output=True, text=True)
        assert done.stdout == told + "\n", done.stderr


def test_training_counts_the_address_space() -> None:
    """Refused with one line, before TensorFlow cannot be loaded in the middle of it."""
    code = "import resource; resource.setrlimit(resource.RLIMIT_AS, ({0}, {0}))\n"
    code += "import DDQN; from training.memory import check_run_memory as check\n"
    code += "check(DDQN.PRESETS['smoke'], 2)"
    for limit, fits in ((2000 * MIB, False), (2400 * MIB, True)):
        command = [sys.executable, "-c", code.format(limit)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert (done.returncode == 0) is fits, done.stderr
        told = "training needs 2.2 GiB of address space, but the limit is 2.0 GiB (ulimit -v); raise it"
        assert (told in done.stderr) is not fits


def test_auto_takes_fewer_workers_where_memory_is_short() -> None:
    """One worker beside the trainer on two cores; none where the group has no room for it; a wish is refused."""
    code = JOIN + "import os, DDQN; from training.memory import worker_count\n"
    code += "from training.settings import changed\n"
    code += "small = changed(DDQN.Settings(), replay_capacity=12_000)\n"
    code += "print(worker_count(small))\n"
    code += "worker_count(changed(small, workers=1))"
    with memory_group(400) as group:
        command = [sys.executable, "-c", code, str(group / "cgroup.procs")]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "0\n", done.stderr
    assert "driving 16 cars in 1 processes needs" in done.stderr
