"""Child processes, with programs that are over in a moment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from experiments.gpus import Gpus, parse_devices
from experiments.jobs import Job, StoppedError, check_jobs, run_jobs
from system.exits import EXIT_STOPPED
from tests.support.command_line import ROOT
from training.runs.run_folder import RunFolder
from training.stop import Stop

WRITES = """
import os, sys, time
from pathlib import Path
time.sleep(float(sys.argv[2]))
print(sys.argv[1], *sys.argv[3:], flush=True)
"""
# Says that it runs, and saves when it is told to stop, as a trainer does.
SAVES = """
import signal, sys, time
from pathlib import Path
here = Path(sys.argv[1])
def stop(*_):
    here.with_suffix(".saved").touch()
    sys.exit(3)
signal.signal(signal.SIGTERM, stop)
here.with_suffix(".runs").touch()
time.sleep(600)
"""
PARENT = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
from pathlib import Path
from experiments.jobs import Job, StoppedError, run_jobs
from system.processes import on_first_stop_signal
from training.runs.run_folder import RunFolder
from training.stop import Stop
folder, stop = Path(sys.argv[1]), Stop()
on_first_stop_signal(stop.ask)
jobs = [
    Job(n, (str(folder / "saves.py"), str(folder / n)), folder / f"{n}.log", RunFolder(folder / n))
    for n in "ab"
]
try:
    run_jobs(jobs, 2, stop)
except StoppedError:
    sys.exit(3)
"""


def job(folder: Path, name: str, program: str, *words: object) -> Job:
    path = folder / f"{name}.py"
    path.write_text(program)
    line = (str(path), name, *map(str, words))
    return Job(name, line, folder / "logs" / f"{name}.log", RunFolder(folder / name))


@pytest.mark.parametrize("at_once", [1, 3])
def test_results_come_in_the_order_asked(tmp_path: Path, at_once: int) -> None:
    """Also where the first takes longest."""
    jobs = [job(tmp_path, name, WRITES, wait) for name, wait in (("a", 0.5), ("b", 0), ("c", 0))]
    done = run_jobs(jobs, at_once, Stop())
    assert [(d.job.name, d.code, d.reason) for d in done] == [(n, 0, "") for n in "abc"]
    assert [d.job.log.read_text() for d in done] == ["a\n", "b\n", "c\n"]


def test_what_failed_is_told_with_its_last_lines(tmp_path: Path) -> None:
    fails = "import sys; print('first'); print('error: too large', file=sys.stderr); sys.exit(2)"
    jobs = [
        job(tmp_path, "refused", fails),
        job(tmp_path, "broken", "print('one\\ntwo\\nthree\\nfour'); raise SystemExit(7)"),
        job(tmp_path, "killed", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"),
        job(tmp_path, "well", WRITES, 0),
    ]
    done = {d.job.name: (d.code, d.reason) for d in run_jobs(jobs, 2, Stop())}
    assert done == {
        "refused": (2, "too large"),
        "broken": (7, "ended with exit code 7 / two / three / four"),
        "killed": (-9, "killed by SIGKILL: out of memory?"),
        "well": (0, ""),
    }
    log = tmp_path / "logs" / "refused.log"
    log.write_text("error: of another time\n")
    [again] = run_jobs([job(tmp_path, "refused", "raise SystemExit(1)")], 1, Stop())
    assert again.reason == "ended with exit code 1", "what it said before counts no more"
    assert log.read_text() == "error: of another time\n"


def wait_for(*paths: Path) -> None:
    end = time.monotonic() + 60
    while not all(path.exists() for path in paths):
        assert time.monotonic() < end, paths
        time.sleep(0.02)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_children_end_with_their_parent(tmp_path: Path, signum: signal.Signals) -> None:
    """They are told once, whether it can still tell them or not; Ctrl-C reaches the whole group in a terminal."""
    (tmp_path / "saves.py").write_text(SAVES)
    line = [sys.executable, "-c", PARENT, str(tmp_path)]
    with subprocess.Popen(line, cwd=ROOT, start_new_session=True, stdout=-1, stderr=-1) as parent:
        wait_for(tmp_path / "a.runs", tmp_path / "b.runs")
        os.killpg(parent.pid, signum)
        try:
            out, _ = parent.communicate(timeout=60)
        finally:
            parent.kill()
    assert parent.returncode == (-signum if signum == signal.SIGKILL else EXIT_STOPPED), out
    wait_for(tmp_path / "a.saved", tmp_path / "b.saved")


def test_a_run_that_is_still_saved_is_waited_for(tmp_path: Path) -> None:
    """The child of a sweep that was killed holds its run's lock for a moment."""
    one = job(tmp_path, "one", WRITES, 0)
    one.run.path.mkdir()
    holds = (
        "import sys, time; from pathlib import Path; from training.runs.run_folder import RunFolder\n"
        "run = RunFolder(Path(sys.argv[1])); run.lock(); print(flush=True); time.sleep(1)\n"
        "(run.path / 'saved').touch()"
    )
    line = [sys.executable, "-c", holds, str(one.run.path)]
    with subprocess.Popen(line, cwd=ROOT, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        saved: list[bool] = []

        def ended(done: object) -> str:
            saved.append((one.run.path / "saved").exists())
            return ""

        run_jobs([one], 1, Stop(), ended=ended)
    assert saved == [True]


def test_one_run_at_a_time_per_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    ours, theirs = Gpus((0, 1)), Gpus((1, 2))
    first, second, third = ours.take(), ours.take(), theirs.take()
    assert first and second and third
    assert [g.index for g in (first, second, third)] == [0, 1, 2]
    assert ours.take() is None and theirs.take() is None
    second.release()
    again = theirs.take()
    assert again and again.index == 1
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    assert Gpus((0,)).take() is None, "it is the GPU that the others call 2"
    for gpu in (first, third, again):
        gpu.release()


def test_runs_are_told_their_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And hold its lock themselves, for whoever started them may be killed."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    jobs = [job(tmp_path, name, WRITES, 0.3) for name in "abcd"]
    run_jobs(jobs, 4, Stop(), gpus=Gpus((0, 3)))
    lines = [j.log.read_text().split() for j in jobs]
    assert {words[-1] for words in lines} == {"gpu:0", "gpu:3"}
    assert all(words[-2] == "--device" for words in lines)


@pytest.mark.parametrize("text", ["a", "0,0", "-1", "0,", ",", "1.5"])
def test_devices_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="devices must be"):
        parse_devices(text)


def test_how_many_at_once() -> None:
    assert [check_jobs(j, d) for j, d in ((None, ()), (3, ()), (None, (0, 1)), (1, (0, 1)))] == [
        1,
        3,
        2,
        1,
    ]
    assert check_jobs(5, (0, 1)) == 2
    with pytest.raises(ValueError, match="at least 1, got 0"):
        check_jobs(0, ())


def test_nothing_begins_after_a_stop(tmp_path: Path) -> None:
    stop = Stop()
    stop.ask()
    with pytest.raises(StoppedError):
        run_jobs([job(tmp_path, "a", WRITES, 0)], 1, stop)
    assert not (tmp_path / "logs").exists()
