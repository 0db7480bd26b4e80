"""`runs.py list`, `monitor` and `verify`: real runs that live, were killed, and are finished."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from reports.monitor import look, sparkline
from reports.run_list import COLUMNS, rows_of, state_of
from system.times import now
from tests.support.command_line import ROOT, arguments, finish, start
from training.runs.run_folder import RunFolder
from training.runs.store import Runs

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
DECISIONS = 512


def command(*words: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "runs.py", *words]
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Three runs: one that lives, one that was killed, one that is finished."""
    runs = tmp_path_factory.mktemp("runs")
    finish(
        start("DDQN", *arguments(runs=str(runs), name="done", decisions=DECISIONS, test_episodes=1))
    )
    endless = arguments(runs=str(runs), decisions=10**6, checkpoint_every=256, workers=1)
    processes = [start("DQN", *endless, "--name", name) for name in ("lives", "killed")]
    for name in ("lives", "killed"):
        while not (runs / "DQN" / name / "checkpoints" / "000000256").is_dir():
            assert all(p.poll() is None for p in processes)
            time.sleep(0.1)
    os.killpg(processes[1].pid, signal.SIGKILL)
    processes[1].wait()
    yield runs
    os.killpg(processes[0].pid, signal.SIGKILL)
    processes[0].wait()


def test_each_is_listed_as_it_stands(folder: Path) -> None:
    rows = {row.run: row for row in rows_of(Runs(folder).all())}
    assert {name: row.state for name, row in rows.items()} == {
        "DDQN/done": "finished",
        "DQN/lives": "running",
        "DQN/killed": "killed",
    }
    path = folder / "DQN" / "killed" / "status.json"
    here = json.loads(path.read_text())
    elsewhere = here | {"host": "another", "time": now()}
    for status, state in (
        (elsewhere, "running"),  # for all that can be known here
        (elsewhere | {"time": "2020-01-01T00:00:00+00:00"}, "killed"),
        (here, "killed"),
    ):
        path.write_text(json.dumps(status))
        assert state_of(RunFolder(path.parent), status) == state
    done = rows["DDQN/done"]
    assert done.decisions == done.total == DECISIONS
    with (folder / "DDQN" / "done" / "test.csv").open(newline="") as file:
        [episode] = csv.DictReader(file)
    assert done.test == pytest.approx(float(episode["score"]), abs=0.01)


def test_the_same_as_json_and_csv_sorted_and_filtered(folder: Path) -> None:
    found = json.loads(command("list", "--runs", str(folder), "--json", "--sort=-run").stdout)
    assert [row["run"] for row in found] == ["DQN/lives", "DQN/killed", "DDQN/done"]
    text = command("list", "--runs", str(folder), "--csv", "--filter", "run=DDQN").stdout
    rows = list(csv.DictReader(io.StringIO(text)))
    assert tuple(rows[0]) == COLUMNS
    assert {row["run"] for row in rows} == {"DDQN/done"}
    bad = command("list", "--runs", str(folder), "--sort", "colour")
    assert (bad.returncode, bad.stdout) == (2, "")
    assert bad.stderr.startswith("error: columns are index, run, state")


def test_a_living_run_is_watched_without_touching_it(folder: Path) -> None:
    before = {p.name for p in (folder / "DQN" / "lives").iterdir()}
    shown = command("monitor", "lives", "--once", "--runs", str(folder))
    assert shown.returncode == 0, shown.stderr
    assert "lives: running, training" in shown.stdout
    assert "of 1,000,000 decisions" in shown.stdout and "min left" in shown.stdout
    assert "workers 1, replaced 0" in shown.stdout
    assert {p.name for p in (folder / "DQN" / "lives").iterdir()} >= before
    assert "finished" in look(Runs(folder).resolve("done"))[0]
    wrong = command("monitor", "nobody", "--runs", str(folder))
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr.startswith("error: no run 'nobody'")


def test_damage_is_found(folder: Path) -> None:
    good = command("verify", "done", "--runs", str(folder))
    assert (good.returncode, good.stdout) == (0, "1 runs, 0 problems\n")
    run = folder / "DDQN" / "done"
    state = sorted(run.glob("checkpoints/0*/state.json"))[-1]
    data = state.read_bytes()
    state.write_bytes(data[:100] + b"#" + data[101:])
    bad = command("verify", "done", "--runs", str(folder))
    state.write_bytes(data)
    assert bad.returncode == 1
    assert f"{state}: damaged" in bad.stdout


def test_a_curve_in_a_line() -> None:
    assert sparkline([]) == ""
    assert sparkline([1, 1]) == "▁▁"
    assert sparkline([0, 7, 3.5, 14]) == "▁▅▃█"
