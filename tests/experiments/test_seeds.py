"""Several seeds by one command, with the real script."""

from __future__ import annotations

import csv
import os
import signal
import sys
import time
from pathlib import Path

import pytest

import DDQN
from evaluation.evaluation import bootstrap_interval
from system.processes import STOP_SIGNALS
from tests.support.command_line import arguments, files_below, finish, start
from tests.support.outcome import outcome
from training.main import main

SEEDS = ("3", "4")
FILES = ("seeds.csv", "report.md")


def line(runs: Path, *more: str) -> list[str]:
    """Two runs with three checkpoints each."""
    short = arguments(runs=str(runs), decisions=768, checkpoint_every=256, test_episodes=1)
    at = short.index("--workers"), short.index("--seed")
    for first in sorted(at, reverse=True):
        del short[first : first + 2]
    return [*short, "--name", "two", "--seeds", "3:4", *more]


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_neither_jobs_nor_a_kill_change_a_bit(tmp_path: Path) -> None:
    """The command is killed once both have a checkpoint, and given again."""
    out = finish(start("DDQN", *line(tmp_path / "one", "--jobs", "1")))
    cut = tmp_path / "cut" / "DDQN"
    process = start("DDQN", *line(tmp_path / "cut", "--jobs", "2"))
    while not all(list(cut.glob(f"two-seed{s}/checkpoints/000000[2-9]*")) for s in SEEDS):
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    again = finish(start("DDQN", *line(tmp_path / "cut", "--jobs", "2")))
    assert "two-seed3 begins" in again and "two-seed4 begins" in again, "neither was done"
    for seed in SEEDS:
        run = tmp_path / "one" / "DDQN" / f"two-seed{seed}"
        assert outcome(run) == outcome(cut / f"two-seed{seed}")
        assert (run / "test.csv").read_text() == (cut / f"two-seed{seed}" / "test.csv").read_text()
    folders = [tmp_path / name / "seeds" / "DDQN-two" for name in ("one", "cut")]
    for name in FILES:
        assert len({(folder / name).read_bytes() for folder in folders}) == 1, name
    assert (folders[0] / "learning.png").stat().st_size > 10_000

    report = (folders[0] / "report.md").read_text()
    assert report.strip() in out
    with (folders[0] / "seeds.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["seed"] for row in rows] == list(SEEDS)
    scores = [float(row["test"]) for row in rows]
    low, high = bootstrap_interval(scores)
    worst = SEEDS[scores.index(min(scores))]
    assert f"{sum(scores) / 2:.1f} [{low:.1f}, {high:.1f}] on the test tracks" in report
    assert f"worst seed {worst}: {min(scores):.1f}" in report

    begun = time.monotonic()
    last = finish(start("DDQN", *line(tmp_path / "one")))
    assert "begins" not in last and report.strip() in last, "nothing was left to do"
    assert time.monotonic() - begun < 60


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--seeds", "5:1"], "FIRST must not be above LAST"),
        (["--seeds", "a"], "seeds are FIRST:LAST"),
        (["--seeds", "1:2", "--jobs", "0"], "jobs must be at least 1, got 0"),
        (["--seeds", "1:2", "--devices", "x"], "devices must be"),
        (["--seeds", "1:2", "--seed", "3"], "give --seed or --seeds"),
        (["--seeds", "1:2", "--gamma", "2"], "gamma must be 0 to 1, got 2"),
        (["--seeds", "1:2", "--name", "a/b"], "a run's name is"),
        (["--seeds", "1:2", "--name", "x" * 97], "a run's name is"),
        (["--seeds", "1:2", "--device", "cuda"], "device must be"),
        (["--seeds", "1:2", "--device", "cpu", "--devices", "0"], "but device is cpu: give one"),
        (["--jobs", "2"], "give --seeds"),
        (["--devices", "0"], "give --seeds"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_bad_input(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    told: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["DDQN.py", *words])
    handlers = {s: signal.getsignal(s) for s in STOP_SIGNALS}
    try:
        with pytest.raises(SystemExit) as end:
            main(DDQN.DDQN, DDQN.PRESETS)
    finally:
        for s, handler in handlers.items():
            signal.signal(s, handler)
    out, err = capsys.readouterr()
    assert (end.value.code, out) == (2, "")
    assert err.startswith("error: ") and err.count("\n") == 1 and told in err, err
    assert files_below(tmp_path) == []


def test_a_run_that_is_refused_is_told(tmp_path: Path) -> None:
    """Here by the child, which alone knows what the machine has."""
    words = arguments(runs=str(tmp_path), name="none", dense=(10**6, 10**6))
    at = words.index("--seed")
    del words[at : at + 2]
    process = start("DDQN", *words, "--seeds", "1")
    out, err = process.communicate(timeout=600)
    assert process.returncode == 1
    assert err.splitlines()[-1].startswith("error: none-seed1: training a network of 1,000,")
    assert "none-seed1 begins" in out
