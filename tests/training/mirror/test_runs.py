"""`runs.py` on a mirror."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.s3_server import S3Server
from system.progress import no_progress
from tests.support.command_line import ROOT
from tests.support.s3 import bring
from training.mirror.runs import runs_at, verify
from training.mirror.store import Found, Store
from training.runs.names import RunError

pytestmark = pytest.mark.slow


@pytest.fixture
def mirrored(place: str, two_runs: Path) -> str:
    """Two runs in a mirror."""
    bring(two_runs / "mirror", place)
    return place


def runs_py(*words: object, code: int = 0) -> str:
    command = [sys.executable, "runs.py", *map(str, words)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout if code == 0 else done.stderr


def test_list_and_monitor_read_small_files_alone(
    mirrored: str, two_runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = json.loads(runs_py("list", "--runs", mirrored, "--json"))
    here = json.loads(runs_py("list", "--runs", two_runs / "runs", "--json"))
    for row in here:
        assert abs(row.pop("mib") - there[row["index"]].pop("mib")) <= 0.1
    assert there == here and len(there) == 2
    read = list[str]()
    real = Store.read

    def noted(store: Store, path: str) -> Found | None:
        read.append(path)
        return real(store, path)

    monkeypatch.setattr(Store, "read", noted)
    runs = runs_at(mirrored)
    assert {run.shown for run in runs.all()} == {f"{mirrored}/DDQN/race-seed{n}" for n in (1, 2)}
    assert not any("checkpoints" in p or p.endswith((".safetensors", "episodes.csv")) for p in read)
    assert runs.resolve(f"{mirrored}/DDQN/race-seed1").full_name == "DDQN/race-seed1"
    with pytest.raises(RunError, match=f"no run 'none' in {mirrored}"):
        runs.resolve("none")
    output = runs_py("monitor", "seed1", "--runs", mirrored)
    assert output.startswith(f"{mirrored}/DDQN/race-seed1: finished")


@pytest.mark.parametrize("place", ["file"], indirect=True)
def test_review_works_on_what_is_fetched(mirrored: str, tmp_path: Path) -> None:
    assert "give --out for the page" in runs_py("review", "seed1", "--runs", mirrored, code=2)
    runs_py("review", "seed1", "--runs", mirrored, "--out", tmp_path / "page", "--no-maps")
    page = (tmp_path / "page" / "review.html").read_text()
    assert "race-seed1" in page and "events.*: no curves" not in page


def test_verify_reads_everything(mirrored: str, place: str) -> None:
    assert runs_py("verify", "*", "--runs", mirrored) == "2 runs, 0 problems\n"
    store = Store(place)
    folder = "DDQN/race-seed2/checkpoints"
    for victim in (f"{folder}/{p}" for p in sorted(store.sizes(folder)) if "manifest" not in p):
        found = store.read(victim)
        assert found is not None
        store.write(victim, found.data[:-1] + bytes([found.data[-1] ^ 1]))
        [run] = runs_at(mirrored).matching("seed2")
        problems = verify(run, no_progress)
        assert problems and all(f"{place}/{victim}: damaged" in p for p in problems)
        store.write(victim, found.data)


def test_mirror_brings_a_run_there_afterwards(
    s3: S3Server, tmp_path: Path, two_runs: Path, undisturbed: Path
) -> None:
    place, run = f"{s3.url}/{tmp_path.name}", two_runs / "runs/DDQN/race-seed1"
    output = runs_py("mirror", run, "--to", place)
    assert output == f"{place}/DDQN/race-seed1 has everything\n"
    assert runs_py("verify", "seed1", "--runs", place) == "1 runs, 0 problems\n"
    assert "has no mirror" in runs_py("mirror", undisturbed, code=2)
