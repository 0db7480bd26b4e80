"""Same seed, same settings: the same weights, bit for bit, however the run was carried out.

Runs and workers that are killed are in test_survival.py.
"""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

import pytest

from system.exits import EXIT_STOPPED
from tests.support.command_line import DECISIONS, arguments, finish, start
from tests.support.outcome import arrays_at, checkpoints, outcome

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


def wait_for(process: subprocess.Popen[str], path: Path) -> None:
    """Until a file is there."""
    while not path.exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


@pytest.fixture(scope="module")
def in_process(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """The run to compare with: all actors in the process that learns."""
    runs = tmp_path_factory.mktemp("runs")
    finish(start("DDQN", *arguments(runs=str(runs), name="here", workers=0)))
    run = runs / "DDQN" / "here"
    found = outcome(run)
    assert found["decisions"] == DECISIONS == 3072
    episodes = (run / "episodes.csv").read_text()
    assert episodes.count("\n") > 5, "no episode ended, so little was tried"
    earlier, last = (arrays_at(run, step) for step in checkpoints(run))
    moved = [name for name in last if name != "best" and (earlier[name] != last[name]).any()]
    assert "learner/online/conv_0/kernel" in moved, "nothing was learned, so nothing could differ"
    return found


def test_stopped_and_resumed(tmp_path: Path, in_process: dict[str, object]) -> None:
    """Stopped by a signal somewhere in the middle; resumed with other workers."""
    run = tmp_path / "DDQN" / "stopped"
    process = start("DDQN", *arguments(runs=str(tmp_path), name="stopped", workers=2))
    wait_for(process, run / "checkpoints" / "000001024" / "manifest.json")
    process.send_signal(signal.SIGTERM)
    assert "--resume" in finish(process, EXIT_STOPPED)
    assert 1024 <= checkpoints(run)[-1] < DECISIONS
    finish(start("DDQN", "--resume", str(run), "--workers", "0"))
    assert outcome(run) == in_process


def test_dqn_too(tmp_path: Path) -> None:
    """The other agent, its replay without priorities: here and elsewhere."""
    for name, workers in (("here", 0), ("there", 1)):
        options = arguments(runs=str(tmp_path), name=name, workers=workers, decisions=1024)
        finish(start("DQN", *options))
    assert outcome(tmp_path / "DQN" / "here") == outcome(tmp_path / "DQN" / "there")
