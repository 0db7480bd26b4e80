"""Pages say what results/ says, where a benchmark writes a table of its rows into one."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from benchmarks.rows import as_table
from benchmarks.speed import scale
from benchmarks.speed.scale_model import limits, predicted
from benchmarks.survival import ray_notice
from reports.markdown import table
from reports.report import with_block

ROOT = Path(__file__).parents[2]


def test_how_soon_a_lost_node_is_noticed() -> None:
    with (ROOT / ray_notice.Options().csv).open(newline="") as file:
        head, *rows = csv.reader(file)
    text = (ROOT / ray_notice.PAGE).read_text()
    assert with_block(text, "notice", table(head, rows)) == text


def test_the_model_of_a_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    constants, text = scale.read_constants(scale.MACHINE)["cpu", "default"], scale.PAGE.read_text()
    machines = {path.name for path in scale.RESULTS.iterdir()}
    tables = {f"{name} runs": scale.compared(name) for name in machines}
    tables["prediction"] = predicted(constants)
    for mark, rows in tables.items():
        assert with_block(text, mark, as_table(rows)) == text
    assert with_block(text, "limits", "\n".join(limits(constants))) == text
