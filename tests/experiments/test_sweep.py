"""sweep.py: what it makes does not depend on how it was carried out, and what is wrong is refused in one line."""

from __future__ import annotations

import csv
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import tyro

import sweep
from experiments.options import Options
from system.exits import EXIT_FAILED, EXIT_STOPPED
from tests.support.command_line import ROOT, files_below

QUICK = str(ROOT / "tests" / "support" / "quick.py")
SHORT = ("--set", "decisions=400", "--set", "test_episodes=0")
GRID = (QUICK, *SHORT, "--set", "learning_rate=1e-4,1e-3", "--set", "n_step=1,2")
HALVED = (QUICK, *SHORT, "--rungs", "3", "--random", "4", "--space", "learning_rate=log:1e-5:1e-2")
TPE = (
    QUICK,
    *SHORT,
    "--tpe",
    "3",
    "--batch",
    "2",
    "--seeds",
    "1:2",
    "--space",
    "learning_rate=log:1e-5:1e-1",
)

pytestmark = pytest.mark.slow
Sweep = Callable[..., Path]


@pytest.fixture
def call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signal_handlers: None
) -> Callable[..., None]:
    """sweep.py's own main."""
    monkeypatch.chdir(tmp_path)
    return lambda *words: sweep.main(tyro.cli(Options, args=words))


def outcome(folder: Path) -> dict[str, str]:
    """What must not depend on how the sweep was carried out."""
    kept = {name: (folder / name).read_text() for name in ("trials.csv", "report.md", "sweep.json")}
    runs = {str(p.relative_to(folder)): p.read_text() for p in folder.rglob("validation.csv")}
    return kept | runs


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "trials.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def begun(folder: Path) -> list[int]:
    """How often each run was begun or gone on with."""
    return [len(p.read_text().split()) for p in sorted(folder.rglob("begun.txt"))]


@pytest.mark.parametrize("words", [GRID[:-2], TPE], ids=["grid", "tpe"])
def test_any_number_of_jobs_gives_the_same(
    tmp_path: Path, call: Callable[..., None], words: tuple[str, ...]
) -> None:
    for jobs in "1", "2":
        call(*words, "--folder", jobs, "--jobs", jobs)
    assert outcome(tmp_path / "1") == outcome(tmp_path / "2")
    for row in rows(tmp_path / "1"):
        scores = [float(x) for x in row["scores"].split()]
        assert float(row["score"]) == pytest.approx(sum(scores) / len(scores))
        assert len(scores) == 1 + ("--seeds" in words)
    call(*words, "--folder", "1")
    assert set(begun(tmp_path / "1")) == {1}, "what is done is not done again"


def test_the_best_is_first_and_can_be_copied(
    tmp_path: Path, call: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    call(*GRID, "--folder", "s", "--jobs", "2")
    out = capsys.readouterr().out
    report = (tmp_path / "s" / "report.md").read_text()
    assert report in out
    table = [line.split("|")[1:-1] for line in report.splitlines() if line.startswith("|")][2:]
    scores = [float(row[1].strip(" *")) for row in table]
    assert len(scores) == 4 and scores == sorted(scores, reverse=True)
    assert [row[3].strip() for row in table[:2]] == ["0.001"] * 2
    [line] = [x for x in report.splitlines() if "quick.py --" in x]
    for words in "--learning-rate 0.001", "--decisions 400", "--test-episodes 0":
        assert words in line
    (tmp_path / "s" / "report.md").unlink()
    call("--report", "s")
    assert capsys.readouterr().out == report
    assert (tmp_path / "s" / "report.md").read_text() == report


def test_several_presets(tmp_path: Path, call: Callable[..., None]) -> None:
    """By names or globs, with the settings that all of them get."""
    words = (QUICK, "--preset", "smoke,def*", *SHORT, "--set", "n_step=1,2", "--jobs", "2")
    call(*words, "--folder", "s")
    found = [(r["preset"], r["n_step"], r["state"]) for r in rows(tmp_path / "s")]
    presets = '"smoke"', '"default"'
    assert found == [(p, n, "complete") for p in presets for n in "12"]
    report = (tmp_path / "s" / "report.md").read_text()
    assert "quick.py --preset smoke --decisions 400" in report, "the first of equal ones"


def test_the_better_half_goes_on_also_after_a_kill(
    tmp_path: Path, call: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of the second rung, which goes on from the first."""
    call(*HALVED, "--folder", "whole", "--jobs", "2")
    check_halves(rows(tmp_path / "whole"))
    monkeypatch.setenv("QUICK_SECONDS", "1")
    line = [sys.executable, str(ROOT / "sweep.py"), *HALVED, "--folder", "cut", "--jobs", "2"]
    killed = tmp_path / "cut" / "runs" / "DQN"
    with subprocess.Popen(line, cwd=tmp_path, stdout=subprocess.DEVNULL) as process:
        end = time.monotonic() + 120
        while not any("begun\nbegun\n" in p.read_text() for p in killed.glob("*/begun.txt")):
            assert process.poll() is None and time.monotonic() < end
            time.sleep(0.02)
        process.kill()
    monkeypatch.setenv("QUICK_SECONDS", "0")
    call(*HALVED, "--folder", "cut", "--jobs", "2")
    assert outcome(tmp_path / "cut") == outcome(tmp_path / "whole")
    assert max(begun(tmp_path / "cut")) <= 4 and min(begun(tmp_path / "cut")) == 1


def check_halves(found: list[dict[str, str]]) -> None:
    """Of four trials two ended after the first rung and one after the second, each the worse ones."""
    ends = {r["trial"]: (r["state"], r["steps"].count(":")) for r in found}
    assert sorted(ends.values()) == [("complete", 3), *[("ended early", 1)] * 2, ("ended early", 2)]
    first = {r["trial"]: float(r["steps"].split()[0].partition(":")[2]) for r in found}
    order = sorted(first, key=lambda trial: -first[trial])
    assert ends[order[0]][0] == "complete" and ends[order[1]] == ("ended early", 2)


def test_stopped_and_given_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUICK_SECONDS", "0.5")
    line = [sys.executable, str(ROOT / "sweep.py"), *GRID, "--folder", "s", "--jobs", "2"]
    with subprocess.Popen(line, cwd=tmp_path, stdout=-1, stderr=-1, text=True) as process:
        end = time.monotonic() + 120
        while len(begun(tmp_path / "s")) < 3:
            assert process.poll() is None and time.monotonic() < end
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == EXIT_STOPPED
    assert out.endswith("stopped; the same command line continues\n")
    refused = subprocess.run([*line, "--seed", "2"], cwd=tmp_path, capture_output=True, text=True)
    assert refused.returncode == 2
    assert refused.stderr == (
        "error: s is another sweep: seed was 0, now 2; choose another --folder\n"
    )


def test_trials_that_fail_are_told(
    tmp_path: Path, call: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    call(QUICK, *SHORT, "--set", "learning_rate=1e-3,0.5", "--folder", "s")
    assert [(r["state"], r["reason"]) for r in rows(tmp_path / "s")] == [
        ("complete", ""),
        ("failed", "the loss is not finite"),
    ]
    assert "failed: the loss is not finite" in capsys.readouterr().out
    with pytest.raises(SystemExit) as end:
        call(QUICK, *SHORT, "--set", "learning_rate=0.6,0.5", "--folder", "t")
    assert end.value.code == EXIT_FAILED
    err = capsys.readouterr().err.splitlines()
    assert err[-1] == "error: all trials failed; the last: the loss is not finite"


VARIED = ("--set", "gamma=0.9,0.95")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "name a script"),
        (("none.py", *VARIED), "none.py: no such script"),
        ((QUICK,), "nothing to vary"),
        ((QUICK, "--set", "gamma=0.9"), "nothing to vary"),
        ((QUICK, "--set", "gama=0.9,0.95"), "no setting 'gama'; did you mean gamma?"),
        ((QUICK, "--set", "gamma=0.9,1.5"), "gamma must be 0 to 1, got 1.5"),
        ((QUICK, "--set", "cars=7,8", "--set", "cars_per_actor=4"), "cars_per_actor must divide"),
        ((QUICK, "--space", "gamma=float:0.8:0.9"), "a grid has no ranges"),
        ((QUICK, "--random", "2", "--space", "gamma=float:0.9:0.8"), "the range is empty"),
        ((QUICK, "--random", "0", *VARIED), "random must be"),
        ((QUICK, "--tpe", "0", *VARIED), "tpe must be"),
        ((QUICK, "--random", "2", "--tpe", "2", *VARIED), "give one"),
        ((QUICK, *VARIED, "--jobs", "0"), "jobs must be at least 1, got 0"),
        ((QUICK, *VARIED, "--devices", "0,x"), "devices must be"),
        ((QUICK, *VARIED, "--seeds", "5:1"), "seeds"),
        ((QUICK, *VARIED, "--seed=-1"), "seed must be at least 0, got -1"),
        ((QUICK, *VARIED, "--preset", "none"), "preset must be one of"),
        ((QUICK, "--preset", "smoke,none"), "preset must be one of"),
        ((QUICK, "--preset", "smoke,long"), "presets of different lengths"),
        ((QUICK, *VARIED, "--rungs", "0"), "rungs must be 1 to 10, got 0"),
        ((QUICK, *VARIED, "--rungs", "4", "--set", "decisions=4"), "rungs are too many"),
        ((QUICK, *VARIED, "--rungs", "2", "--metric", "test"), "--rungs chooses by validation"),
        ((QUICK, *VARIED, "--metric", "test", "--set", "test_episodes=0"), "--metric test needs"),
        ((QUICK, *VARIED, "--batch", "0"), "batch must be at least 1, got 0"),
        ((QUICK, *VARIED, "--folder", "full"), "full exists and is not a sweep"),
        ((QUICK, *VARIED, "--folder", "a file"), "a file exists and is not a sweep"),
        ((QUICK, *VARIED, "--folder", "a\nb"), "a path that some tools"),
        ((QUICK, "--tpe", "2", *VARIED, "--folder", "damaged"), "damaged is another sweep"),
        (("--report", "none"), "missing or damaged"),
        (("--report", "full"), "missing or damaged"),
    ],
    ids=lambda value: " ".join(value[-4:]) if isinstance(value, tuple) else None,
)
def test_bad_input(
    tmp_path: Path,
    call: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    message: str,
) -> None:
    """One line, exit code 2, nothing written."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    (tmp_path / "a file").write_text("mine")
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "sweep.json").write_text("{}")
    before = files_below(tmp_path)
    with pytest.raises(SystemExit) as end:
        call(*words)
    out, err = capsys.readouterr()
    assert (end.value.code, out) == (2, "")
    assert err.startswith("error: ") and err.count("\n") == 1 and message in err, err
    assert files_below(tmp_path) == before


def test_a_damaged_journal_and_table(
    tmp_path: Path, call: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    words = (QUICK, *SHORT, "--tpe", "1", "--space", "gamma=float:0.9:0.99", "--folder", "s")
    call(*words)
    for name, line in (("study.log", words), ("trials.csv", ("--report", "s"))):
        (tmp_path / "s" / name).write_text("x\nx\n")
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            call(*line)
        err = capsys.readouterr().err
        assert end.value.code == 2 and err.count("\n") == 1 and f"s/{name}" in err


def test_without_optuna(tmp_path: Path) -> None:
    """A grid does without; what needs it says so."""
    hide = "import runpy, sys; sys.modules['optuna'] = None; sys.argv[0] = 'sweep.py';"
    hide += f"sys.path.insert(0, {str(ROOT)!r}); runpy.run_module('sweep', run_name='__main__')"
    line = [sys.executable, "-c", hide]
    runs = [
        subprocess.run([*line, *words], cwd=tmp_path, capture_output=True, text=True)
        for words in (TPE, (QUICK, *SHORT, "--set", "gamma=0.9,0.95", "--jobs", "2"))
    ]
    assert runs[0].returncode == 2
    assert runs[0].stderr.startswith("error: optuna is not installed; ")
    assert runs[1].returncode == 0, runs[1].stderr
