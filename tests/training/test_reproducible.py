"""Same seed, same settings: the same weights, bit for bit, however the run was carried out.

Runs and workers that are killed are in test_survival.py.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from system.exits import EXIT_STOPPED
from tests.support.command_line import ROOT, Value, arguments, finish, start, wait_until
from tests.support.outcome import arrays_at, checkpoints, outcome

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
DECISIONS = 2048  # the replay wraps around


@pytest.fixture(scope="module")
def in_process(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """The run to compare with: all actors in the process that learns."""
    runs = tmp_path_factory.mktemp("runs")
    finish(start("DDQN", *arguments(runs=str(runs), name="here", decisions=DECISIONS)))
    run = runs / "DDQN" / "here"
    found = outcome(run)
    assert found["decisions"] == DECISIONS
    episodes = (run / "episodes.csv").read_text()
    assert episodes.count("\n") > 5, "no episode ended, so little was tried"
    earlier, last = (arrays_at(run, step) for step in checkpoints(run))
    moved = [name for name in last if name != "best" and (earlier[name] != last[name]).any()]
    assert "learner/online/conv_0/kernel" in moved, "nothing was learned, so nothing could differ"
    return found


def test_stopped_and_resumed(tmp_path: Path, in_process: dict[str, object]) -> None:
    """Stopped by a signal somewhere in the middle; resumed with other workers."""
    run = tmp_path / "DDQN" / "stopped"
    options = arguments(runs=str(tmp_path), name="stopped", workers=2, decisions=DECISIONS)
    process = start("DDQN", *options)
    wait_until(process, (run / "checkpoints" / "000001024" / "manifest.json").exists)
    process.send_signal(signal.SIGTERM)
    assert "--resume" in finish(process, EXIT_STOPPED)
    assert 1024 <= checkpoints(run)[-1] < DECISIONS
    finish(start("DDQN", "--resume", str(run), "--workers", "0"))
    assert outcome(run) == in_process


def test_dqn_too(tmp_path: Path) -> None:
    """The other agent, its replay without priorities: here and elsewhere."""
    for name, workers in (("here", 0), ("there", 1)):
        options = arguments(runs=str(tmp_path), name=name, workers=workers, decisions=640)
        finish(start("DQN", *options))
    assert outcome(tmp_path / "DQN" / "here") == outcome(tmp_path / "DQN" / "there")


def test_settings_for_other_programs_change_nothing(tmp_path: Path) -> None:
    """What a .bashrc, a module file or a ~/.keras/keras.json of a shared server may set."""
    keras = tmp_path / "home" / ".keras"
    keras.mkdir(parents=True)
    theirs = {"floatx": "bfloat16", "epsilon": 1, "image_data_format": "channels_first"}
    (keras / "keras.json").write_text(json.dumps(theirs | {"backend": "jax"}))
    surroundings = {
        "HOME": str(tmp_path / "home"),
        "KERAS_BACKEND": "jax",
        "TF_USE_LEGACY_KERAS": "1",
        "TF_ENABLE_ONEDNN_OPTS": "0",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "TF_NUM_INTRAOP_THREADS": "3",
        "OMP_NUM_THREADS": "3",
    }
    options: dict[str, Value] = {"runs": str(tmp_path), "decisions": 512}
    finish(start("DDQN", *arguments(name="plain", **options)))
    command = [sys.executable, "DDQN.py", *arguments(name="theirs", **options)]
    env = os.environ | surroundings
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert outcome(tmp_path / "DDQN" / "plain") == outcome(tmp_path / "DDQN" / "theirs")
