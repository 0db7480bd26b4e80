"""Optuna's proposals, without runs."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from experiments.space import Choice, Dimension, Range
from experiments.study import Study, importances
from experiments.trials import COMPLETE, ENDED_EARLY, FAILED, Trial

SPACE: dict[str, Dimension] = {
    "learning_rate": Range(1e-5, 1e-1, log=True, whole=False),
    "n_step": Range(1, 5, log=False, whole=True),
    "dense": Choice(((64,), (128, 64))),
}


def result_of(values: dict[str, Any]) -> Trial:
    score = -abs(math.log10(values["learning_rate"]) + 3) - 0.1 * values["n_step"]
    return Trial(0, values, COMPLETE, {100: score})


def search(journal: Path, batches: int, size: int = 4) -> list[dict[str, Any]]:
    """Propose and tell; every batch by another object, as after a kill."""
    found = []
    for first in range(0, batches * size, size):
        study = Study(journal, SPACE, seed=3)
        values = study.propose(first, size)
        study.tell(first, [result_of(v) for v in values])
        found += values
    return found


def test_proposals_do_not_depend_on_who_asks(tmp_path: Path) -> None:
    """Not even when a batch was told in part, and the last line was cut."""
    whole = search(tmp_path / "a.log", 5)
    assert all(type(v["n_step"]) is int and isinstance(v["dense"], tuple) for v in whole)
    cut = tmp_path / "b.log"
    lines = (tmp_path / "a.log").read_bytes().splitlines(keepends=True)
    cut.write_bytes(b"".join(lines[:15]) + lines[15][:40])
    assert search(cut, 5) == whole
    assert len(cut.read_bytes().splitlines()) == len(lines)


def test_it_finds_what_is_better(tmp_path: Path) -> None:
    found = search(tmp_path / "a.log", 8)
    first, last = (
        sum(result_of(v).steps[100] for v in part) / len(part) for part in (found[:10], found[-10:])
    )
    assert last > first + 0.3


def test_the_first_are_those_that_were_given(tmp_path: Path) -> None:
    start = [{"learning_rate": 1e-3, "n_step": n, "dense": (128, 64)} for n in (2, 4, 5)]
    study = Study(tmp_path / "a.log", SPACE, 3, start)
    values = study.propose(0, 2)
    study.tell(0, [result_of(v) for v in values])
    values += study.propose(2, 2)
    assert values[:3] == start and values[3] not in start


def test_failed_and_ended_early(tmp_path: Path) -> None:
    study = Study(tmp_path / "a.log", SPACE, seed=0)
    values = study.propose(0, 3)
    ends = [
        Trial(0, values[0], FAILED),
        Trial(1, values[1], ENDED_EARLY, {50: 1.0}),
        result_of(values[2]),
    ]
    study.tell(0, ends)
    states = [t.state.name for t in Study(tmp_path / "a.log", SPACE, seed=0).trials]
    assert states == ["FAIL", "PRUNED", "COMPLETE"]
    assert len(study.propose(3, 4)) == 4


@pytest.mark.parametrize("damage", ["no JSON\n", '{"op_code": 99}\n', "[]\n", "{}\n"])
def test_a_damaged_journal_is_one_line_and_left_as_it_is(tmp_path: Path, damage: str) -> None:
    journal = tmp_path / "a.log"
    search(journal, 1)
    journal.write_text(damage + journal.read_text())
    before = journal.read_bytes()
    with pytest.raises(ValueError, match=r"a.log: a damaged journal") as e:
        Study(journal, SPACE, seed=3)
    assert "\n" not in str(e.value)
    assert journal.read_bytes() == before


def test_the_journal_of_another_sweep(tmp_path: Path) -> None:
    search(tmp_path / "a.log", 1)
    with pytest.raises(ValueError, match="not the journal of this sweep"):
        Study(tmp_path / "a.log", {"gamma": Range(0, 1, log=False, whole=False)}, 3).propose(0, 4)


def test_importances_name_what_matters(tmp_path: Path) -> None:
    found = importances([result_of(v) for v in search(tmp_path / "a.log", 10)], SPACE)
    assert max(found, key=lambda name: found[name]) == "learning_rate"
    assert sum(found.values()) == pytest.approx(1)
