"""How much memory is left, as the system and the control groups tell; and a replay that does not fit."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import tyro

import DDQN
from agents.replay import FrameStore
from benchmarks.survival.memory import REPLAY, command_line
from system.memory import NotEnoughMemoryError, available_bytes, refuse_what_does_not_fit
from tests.support.groups import JOIN, memory_group, pretend

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


def test_a_replay_that_cannot_fit_is_refused_with_the_figure() -> None:
    with pytest.raises(
        ValueError, match=r"needs \d+\.\d GiB, \d+\.\d are left; .*--replay-decisions"
    ):
        FrameStore(10**8, 16, (4, 42, 48), 5, 0.98)


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
    code = (
        JOIN + "from agents.replay import FrameStore; FrameStore(25_000, 8, (4, 42, 48), 5, 0.98)"
    )
    with memory_group(300) as group:
        command = [sys.executable, "-c", code, str(group / "cgroup.procs")]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert re.search(r"a replay of 200000 decisions needs 0\.4 GiB, 0\.[0-3] are left", done.stderr)


def test_a_real_limit_of_address_space() -> None:
    code = "from system.memory import address_space_bytes; print(address_space_bytes())"
    for limit, told in (("3000000", str(3000000 * 1024)), ("unlimited", "None")):
        shell = f"ulimit -v {limit} && exec {sys.executable} -c '{code}'"
        done = subprocess.run(["bash", "-c", shell], cwd=ROOT, capture_output=True, text=True)
        assert done.stdout == told + "\n", done.stderr


def test_the_run_that_the_benchmark_watches_can_be_made() -> None:
    trainer = DDQN.build(tyro.cli(DDQN.Settings, args=command_line(300_000, Path("runs"))))
    assert trainer.replay.store.slots * 16 == REPLAY


def test_what_others_were_promised_is_not_left() -> None:
    refuse_what_does_not_fit("this", MIB, "--that")
    with pytest.raises(NotEnoughMemoryError, match=r"this needs 0\.0 GiB, 0\.0 are left"):
        refuse_what_does_not_fit("this", MIB, "--that", promised=available_bytes() + GIB)


@pytest.mark.parametrize("too_many", [{"workers": 10**6}, {"cars": 10**4}])
def test_drivers_that_cannot_fit_are_refused_with_the_figure(too_many: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"processes needs \d+.* smaller --workers, .*--cars"):
        DDQN.build(DDQN.Settings(**too_many, replay_decisions=10**6))  # type: ignore[arg-type]
