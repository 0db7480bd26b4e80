"""Tracks in groups, groups among processes, and how many of these there may be: real limits of real processes."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation import split
from evaluation.split import PLACES, count_processes, groups_in_step, place
from system.memory import NotEnoughMemoryError
from tests.support.command_line import ROOT
from tests.support.groups import JOIN, memory_group

MODEL = "somebody.safetensors"


@given(tracks=st.lists(st.integers(0, 2**31), min_size=1, max_size=60), most=st.integers(1, PLACES))
def test_every_track_once_and_no_place_twice(tracks: list[int], most: int) -> None:
    groups = groups_in_step(tracks, most)
    assert sorted(i for group in groups for i in group) == list(range(len(tracks)))
    for group in groups:
        assert 1 <= len(group) <= most
        assert len({place(tracks[i]) for i in group}) == len(group)


def test_neighbours_fill_groups() -> None:
    assert groups_in_step(range(3, 23), 8) == [[*range(8)], [*range(8, 16)], [*range(16, 20)]]
    assert [len(group) for group in groups_in_step(range(50), 4)] == [4] * 12 + [2]


def test_as_many_as_there_are_processors_and_tracks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(split, "usable_cpus", lambda: 6)
    monkeypatch.setattr(split, "available_bytes", lambda: 10**12)
    assert count_processes("pid", None, 100, pytest.fail) == 6
    assert count_processes("pid", None, 4, pytest.fail) == 4
    assert count_processes("pid", 9, 100, pytest.fail) == 9


@pytest.mark.parametrize(
    ("name", "left_mib", "expected"),
    [
        (MODEL, 450 + 3 * 340, 3),
        (MODEL, 450 + 2 * 340 - 1, 1),
        (MODEL, 400, 1),
        ("pid", 50 + 140, 2),
    ],
)
def test_fewer_where_memory_is_short(
    monkeypatch: pytest.MonkeyPatch, name: str, left_mib: int, expected: int
) -> None:
    said: list[str] = []
    monkeypatch.setattr(split, "available_bytes", lambda: left_mib * 2**20)
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    assert count_processes(name, 8, 100, said.append) == expected
    [line] = said
    assert line.startswith(f"driving in {expected} instead of 8 processes: each needs ")
    assert f"{left_mib} are left" in line


def test_none_where_there_is_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(split, "available_bytes", lambda: 60 * 2**20)
    with pytest.raises(NotEnoughMemoryError, match="needs 70 MiB of memory, 60 are left"):
        count_processes("pid", 1, 1, pytest.fail)


def evaluated(
    *options: str, before: str = "", arguments: tuple[str, ...] = ()
) -> tuple[int, str, str]:
    """The script under a limit that a line of Python sets first."""
    code = f"{before}\nimport runpy, sys; sys.argv[0] = 'evaluate.py'\n"
    code += "runpy.run_path('evaluate.py', run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments, *options], cwd=ROOT, capture_output=True, text=True
    )
    return done.returncode, done.stdout, done.stderr


RANDOM = ("random", "--tracks", "7:9", "--camera", "fast")
LIMIT = "import resource; resource.setrlimit(resource.RLIMIT_AS, ({0}, {0}))"


@pytest.mark.slow
def test_a_real_limit_of_address_space() -> None:
    """Enough for one that does not learn, and too little for a network: refused before anything is loaded."""
    plenty, short = LIMIT.format(1000 * 2**20), LIMIT.format(590 * 2**20)
    code, out, err = evaluated(*RANDOM, before=plenty)
    assert code == 0, err
    assert out.startswith("random: 2 episodes")
    code, out, err = evaluated(*RANDOM, before=short)
    assert (code, out) == (2, "")
    assert err == (
        "error: driving needs 0.6 GiB of address space, but the limit is 0.6 GiB (ulimit -v); raise it\n"
    )
    code, out, err = evaluated("models/dqn.safetensors", before=plenty)
    assert (code, out) == (2, "")
    assert "driving needs 2.1 GiB of address space, but the limit is 1.0 GiB" in err


@pytest.mark.slow
def test_a_real_affinity_mask_and_a_real_memory_limit() -> None:
    """Four processes are asked for, the group has room for one or two; the scores are the same."""
    _, free, _ = evaluated(*RANDOM)
    with memory_group(270) as group:
        tight = (*RANDOM, "--tracks", "7:11", "--processes", "4")
        code, _, err = evaluated(*tight, before=JOIN, arguments=(str(group / "cgroup.procs"),))
        assert code == 0, err
        assert err.startswith("driving in "), err
        assert " instead of 4 processes: each needs 70 MiB" in err
    pin = f"import os; os.sched_setaffinity(0, {{{min(os.sched_getaffinity(0))}}})"
    code, pinned, err = evaluated(*RANDOM, before=pin)
    assert (code, pinned) == (0, free), err
