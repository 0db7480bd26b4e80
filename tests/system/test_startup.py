"""What happens to a terminal, a pipe or a disk behind a redirection decides over no training."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command_line import ROOT, arguments
from training.runs.store import Runs

SAY = """
import system.startup
import os, subprocess, sys, time
for number in range(2000):
    print("line", number)
    print("plus-minus \\u00b1", file=sys.stderr)
subprocess.run(["echo", "a child"], check=True)
os.write(2, b"C code\\n")
open(sys.argv[1], "w").write("reached the end")
"""
BASH = ("bash", "-o", "pipefail", "-c")
RUN = 'exec "$0" "$@"'
# How a shell starts a script, and what still comes out: stdout of the pipe, and stderr.
SHELLS = {
    "its reader goes": (f"({RUN}) | head -n 1", True),
    "the disk is full": (f"{RUN} > /dev/full", True),
    "both go nowhere": (f"{RUN} > /dev/full 2>&1", False),
    "no stderr": (f"{RUN} 2>&-", False),
    "no stdout": (f"{RUN} >&-", True),
    "nothing": (f"{RUN} <&- >&- 2>&-", False),
}
shells = pytest.mark.parametrize(("shell", "stderr"), SHELLS.values(), ids=list(SHELLS))


def from_shell(shell: str, *command: str) -> subprocess.CompletedProcess[str]:
    """Its exit code is the script's, also before a pipe."""
    return subprocess.run(
        [*BASH, shell, *command], cwd=ROOT, capture_output=True, text=True, timeout=600
    )


@shells
def test_it_goes_on(tmp_path: Path, shell: str, stderr: bool) -> None:
    end = tmp_path / "end"
    done = from_shell(shell, sys.executable, "-c", SAY, str(end))
    assert end.read_text() == "reached the end"
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert done.stderr.count("plus-minus ±") == (2000 if stderr else 0)
    assert done.stdout == ("line 0\n" if "head" in shell else done.stdout)


def test_what_an_encoding_lacks_is_escaped() -> None:
    code = "import system.startup; print('\\xb1 \\xfc')"
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=ascii_only, capture_output=True
    )
    assert (done.stdout, done.stderr) == (b"\\xb1 \\xfc\n", b"")


def run_with(settings: dict[str, str], *line: str) -> None:
    """Run Python with more in its environment; it must end well."""
    env = {**os.environ, **settings}
    command = [sys.executable, *line]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_settings_for_others_end_no_script_and_change_no_score(tmp_path: Path) -> None:
    """Warnings as errors abort the physics library; other kernels of OpenCV change what a driver sees."""
    strict = {"PYTHONWARNINGS": "error"}
    kernels = {"OPENCV_IPP": "disabled", "OPENCV_CPU_DISABLE": "AVX2"}
    scores = set()
    for flags, settings in (((), {}), ((), strict | kernels), (("-W", "error"), {})):
        csv = tmp_path / "scores.csv"
        line = ("evaluate.py", "pid", "--tracks", "0:1", "--camera", "fast", "--csv", str(csv))
        run_with(settings, *flags, *line)
        scores.add(csv.read_text())
    assert len(scores) == 1


@pytest.mark.slow
def test_somebodys_style_of_pictures_changes_none_of_ours(tmp_path: Path) -> None:
    """Such as that of who writes papers, where there is no LaTeX; and a backend that is not installed."""
    style = "text.usetex: True\nfont.size: 30\nsavefig.bbox: tight\naxes.facecolor: black\n"
    (tmp_path / "matplotlibrc").write_text(style)
    theirs = {"MPLCONFIGDIR": str(tmp_path), "MPLBACKEND": "nonsense"}
    pictures = []
    for number, settings in enumerate(({}, theirs)):
        picture = tmp_path / f"{number}.png"
        runs = [f"results/runs/ddqn-seed{seed}" for seed in (1, 2)]
        run_with(settings, "runs.py", "compare", *runs, "--out", str(picture))
        pictures.append(picture.read_bytes())
    assert pictures[0] == pictures[1]


def test_ctrl_c_belongs_to_the_kernel_until_a_script_has_begun(tmp_path: Path) -> None:
    """Only in our scripts, not in a program that imports one, and not where the shell ignores it."""
    code = """
import signal, sys
signal.signal(signal.SIGINT, {before})
sys.modules["__main__"].__file__ = {file!r}
import system.startup
from system.exits import raise_on_ctrl_c
loading = signal.getsignal(signal.SIGINT)
raise_on_ctrl_c()
print(getattr(loading, "name", "raises"), getattr(signal.getsignal(signal.SIGINT), "name", "raises"))
"""

    def told(file: Path, before: str) -> str:
        line = [sys.executable, "-c", code.format(file=str(file), before=before)]
        return subprocess.run(line, cwd=ROOT, stdout=-1, text=True, check=True).stdout

    raises = "signal.default_int_handler"
    assert told(ROOT / "DQN.py", raises) == "SIG_DFL raises\n"
    assert told(ROOT / "benchmarks/learning/ablations.py", raises) == "SIG_DFL raises\n"
    for not_ours in (tmp_path / "kernel.py", Path(sys.prefix) / "bin/pytest"):
        assert told(not_ours, raises) == "raises raises\n"
    assert told(ROOT / "DQN.py", "signal.SIG_IGN") == "SIG_IGN SIG_IGN\n"


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_training_goes_on_to_its_end(tmp_path: Path) -> None:
    """Real ones, at once; each is finished, with the same scores."""
    options = arguments(
        runs=str(tmp_path),
        decisions=320,
        validation_tracks=1,
        test_episodes=1,
        workers=0,
    )
    started = {
        name: subprocess.Popen(
            [*BASH, shell, sys.executable, "DDQN.py", *options, "--name", name.replace(" ", "-")],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name, (shell, _) in SHELLS.items()
        if name in ("its reader goes", "nothing")
    }
    for name, process in started.items():
        out, err = process.communicate(timeout=900)
        assert (process.returncode, err) == (0, ""), name
        assert "starting" in out or "head" not in SHELLS[name][0]
    runs = Runs(tmp_path).all()
    assert len(runs) == len(started)
    assert all(run.is_finished() for run in runs)
    states = [json.loads((run.path / "status.json").read_text())["state"] for run in runs]
    assert states == ["finished"] * len(runs)
    assert len({(run.path / "test.csv").read_text() for run in runs}) == 1
