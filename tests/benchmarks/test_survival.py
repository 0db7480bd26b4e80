"""What training survives: short versions of benchmarks/survival."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pytest

import DDQN
from benchmarks.survival.memory import REPLAY, command_line
from system.forked import ROOT
from tests.support.long import long
from tests.support.s3 import MISSING
from training.command_line import read_command_line
from training.settings import check

OPTIONS = ("--kills=3", "--worker-kills=1", "--decisions=1792")  # its replay wraps around


def benchmark(name: str, *options: str) -> str:
    """Run one, which must find nothing wrong."""
    command = [sys.executable, "-m", f"benchmarks.survival.{name}", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_killed_again_and_again_it_ends_the_same(tmp_path: Path) -> None:
    """Three kills of everything, one of them as a save begins; one of a worker."""
    found = tmp_path / "kills.csv"
    benchmark("kills", *OPTIONS, f"--csv={found}")
    with found.open(newline="") as file:
        group, worker = csv.DictReader(file)
    assert (group["kills"], group["different"]) == ("3", "nothing")
    assert int(group["saves_cut"]) > 0
    assert (worker["told_in_log"], worker["different"]) == ("1", "nothing")


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.skipif(bool(MISSING), reason=MISSING or "all is there")
@long
def test_a_mirror_is_whole_whatever_is_killed(tmp_path: Path) -> None:
    found = tmp_path / "mirror.csv"
    options = ("--kills=3", "--server-kills=1", "--resumes=1", "--cost-decisions=0")
    benchmark("mirror", *options, f"--csv={found}")
    with found.open(newline="") as file:
        trainer, server, end = csv.DictReader(file)
    assert [row["times"] for row in (trainer, server, end)] == ["3", "1", "1"]
    for row in (trainer, server, end):
        assert (row["manifests_broken"], row["different"]) == ("0", "nothing")
    assert int(end["resumed"]) >= 2 and int(trainer["manifests_checked"]) > 0


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_command_lines_that_nobody_meant(tmp_path: Path) -> None:
    found = benchmark("command_lines", "--cases=5", f"--csv={tmp_path / 'found'}")
    assert "'cases': 5" in found


def test_the_run_that_the_benchmark_watches_can_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["DDQN.py", *command_line(300_000, tmp_path)])
    command = read_command_line("DDQN", DDQN.PRESETS)
    settings, run = command.settings, command.run
    check(settings)
    assert run is None
    assert settings.replay.ring_length(settings.cars, settings.view.stack) * settings.cars == REPLAY
    assert not list(tmp_path.iterdir())
