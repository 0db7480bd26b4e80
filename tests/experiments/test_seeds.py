"""Several seeds by one command, with the real script."""

from __future__ import annotations

import csv
import os
import re
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import DDQN
from evaluation.evaluation import bootstrap_interval
from evaluation.scores import read_episodes
from experiments.seeds import SeedRun, report
from racing.episode import Episode
from tests.support.command_line import ROOT, arguments, files_below, finish, start
from tests.support.outcome import outcome
from training.main import main
from training.runs.run_folder import RunFolder

SEEDS = ("3", "4")
FILES = ("seeds.csv", "report.md")


def short(runs: Path) -> list[str]:
    """A run with four checkpoints, but for its seed and its name."""
    words = arguments(runs=str(runs), decisions=512, checkpoint_every=128, validation_tracks=1)
    for flag in "--workers", "--seed":
        at = words.index(flag)
        del words[at : at + 2]
    return words


def line(runs: Path, *more: str) -> list[str]:
    """Two of them."""
    return [*short(runs), "--name", "two", "--seeds", "3:4", *more]


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_seeds_are_ordinary_runs_also_after_a_kill(tmp_path: Path) -> None:
    """Two at once, killed when both have a checkpoint and given again, are what each alone is; nothing is repeated."""
    cut = tmp_path / "cut" / "DDQN"
    process = start("DDQN", *line(tmp_path / "cut", "--jobs", "2"))
    while not all(list(cut.glob(f"two-seed{s}/checkpoints/000000[1-9]*")) for s in SEEDS):
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    again = finish(start("DDQN", *line(tmp_path / "cut", "--jobs", "2")))
    assert "two-seed3 started" in again and "two-seed4 started" in again, "neither was done"

    words = short(tmp_path / "one")
    alone = [
        start("DDQN", *words, f"--name=two-seed{seed}", f"--seed={seed}", "--workers=0")
        for seed in SEEDS
    ]
    for seed, run in zip(SEEDS, alone, strict=True):
        finish(run)
        one, other = (tmp_path / name / "DDQN" / f"two-seed{seed}" for name in ("one", "cut"))
        assert outcome(one) == outcome(other)
    output = finish(start("DDQN", *line(tmp_path / "one")))
    assert "started" not in output, "nothing was left to do"
    folders = [tmp_path / name / "seeds" / "DDQN-two" for name in ("one", "cut")]
    for name in FILES:
        assert len({(folder / name).read_bytes() for folder in folders}) == 1, name
    assert (folders[0] / "learning.png").stat().st_size > 10_000

    text = (folders[0] / "report.md").read_text()
    assert text.strip() in output and text.strip() in again
    with (folders[0] / "seeds.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["seed"] for row in rows] == list(SEEDS)
    scores = [float(row["validation"]) for row in rows]
    assert f"{sum(scores) / 2:.1f} [" in text and f": {min(scores):.1f}." in text


def test_the_report_is_over_the_seeds() -> None:
    """Its interval, too: tracks that every seed drives are no independent draws of a training."""
    scores = {1: (900.0, 880.0), 2: (700.0, 760.0), 5: (905.0, 895.0)}
    runs = [
        SeedRun(
            seed,
            RunFolder(Path(f"mine-seed{seed}")),
            800.0 + seed,
            [
                Episode(n, score, 900, 280, 280, int(score > 800), "lap")
                for n, score in enumerate(of)
            ],
        )
        for seed, of in scores.items()
    ]
    means = [890.0, 730.0, 900.0]
    low, high = bootstrap_interval(means)
    assert low == 730 and high == 900, "the bootstrap of three"
    text = report("DDQN", "mine", runs)
    assert "840.0 [730.0, 900.0] on the test tracks: mean of 3 seeds" in text
    assert "worst seed 2: 730.0; 4 laps of 6." in text
    assert "| 2 | 802.0 | **730.0** | 700.0 – 760.0 | 0/2 |" in text


def test_five_seeds_are_in_the_docs_as_one_command_reports_them() -> None:
    """`DDQN.py --seeds 1:5` and the table: the same mean, interval and worst seed."""
    page = (ROOT / "docs" / "results.md").read_text()
    for agent in ("ddqn", "dqn"):
        folders = [ROOT / "results" / "runs" / f"{agent}-seed{seed}" for seed in range(1, 6)]
        seeds = [
            SeedRun(seed, RunFolder(folder), 0.0, read_episodes(folder / "test.csv"))
            for seed, folder in enumerate(folders, start=1)
        ]
        row = re.search(
            rf"\| {agent.upper()} \| 5 \| \*\*(.*)\*\* \| (.*) – (.*) \| (.*) \| (.*)/250 \|", page
        )
        assert row
        mean, low, high, worst, laps = row.groups()
        line = report(agent.upper(), "default", seeds).splitlines()[2]
        assert line.startswith(f"{mean} [{low}, {high}] on the test tracks: mean of 5 seeds"), line
        assert line.endswith(f": {worst}; {laps} laps of 250."), line
    tests = (ROOT / "results" / "runs").glob("*-onetile-seed*/test.csv")
    means = [float(np.mean([e.score for e in read_episodes(path)])) for path in tests]
    readme = (ROOT / "README.md").read_text().replace("\n", " ")
    assert f"between {min(means):.0f} and {max(means):.0f}" in re.sub(" +", " ", readme)


@pytest.mark.parametrize(
    ("words", "message"),
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
        (
            ["--seeds", "1:2", "--device", "cpu", "--devices", "0"],
            "but device is cpu: give only one",
        ),
        (["--jobs", "2"], "give --seeds"),
        (["--devices", "0"], "give --seeds"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_bad_input(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    signal_handlers: None,
    words: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["DDQN.py", *words])
    with pytest.raises(SystemExit) as end:
        main(DDQN.DDQN, DDQN.PRESETS)
    out, err = capsys.readouterr()
    assert (end.value.code, out) == (2, "")
    assert err.startswith("error: ") and err.count("\n") == 1 and message in err, err
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
    assert "none-seed1 started" in out
