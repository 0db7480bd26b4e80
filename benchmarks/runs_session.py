"""A session with three runs, one that trains, one that was killed, one that is finished: what runs.py says of them.

python -m benchmarks.runs_session      writes it into docs/runs.md
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from reports.report import write_block
from system.exits import EXIT_FAILED, refuse

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "runs.md"
TRAINING = ("--preset", "smoke", "--device", "cpu", "--workers", "0")
LONG = ("--decisions", "1000000")
FINISHED = ("--seed", "1"), ("--seed", "2", "--gamma", "0.9")
SECONDS_AT_MOST = 300.0
COMMANDS = (
    ("label", "DDQN/seed2", "a shorter horizon"),
    ("list",),
    ("list", "--filter", "state=killed", "--json"),
    ("monitor", "living", "--once"),
    ("compare", "DDQN/seed1", "DDQN/seed2"),
    ("review", "DDQN/seed1", "--no-maps"),
    ("verify", "*"),
    ("export", "DDQN/seed*", "--out", "tables"),
    ("clean",),
    ("list", "--sort", "colour"),
    ("review", "nobody"),
)


def train(script: str, name: str, *options: str, runs: Path) -> subprocess.Popen[bytes]:
    """Begin a run."""
    line = [
        sys.executable,
        f"{script}.py",
        *TRAINING,
        *options,
        "--runs",
        str(runs),
        "--name",
        name,
    ]
    return subprocess.Popen(line, cwd=ROOT, stdout=subprocess.DEVNULL, start_new_session=True)


def wait_for(path: Path, process: subprocess.Popen[bytes]) -> None:
    """Until a file is there.

    Raises:
        ChildProcessError: If the process ends before, or it takes for ever.
    """
    deadline = time.monotonic() + SECONDS_AT_MOST
    while not path.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise ChildProcessError(f"{path} did not appear")
        time.sleep(0.2)


def say(*words: str, folder: Path) -> str:
    """A command and what it prints, as in a terminal."""
    line = [sys.executable, str(ROOT / "runs.py"), *words]
    done = subprocess.run(line, cwd=folder, capture_output=True, text=True)
    shown = " ".join(f"'{w}'" if set(w) & set(" *") else w for w in words)
    output = (done.stdout + done.stderr).rstrip()
    code = f"\n[exit code {done.returncode}]" if done.returncode else ""
    return f"$ python runs.py {shown}\n{output}{code}"


def session(folder: Path) -> str:
    """All commands with their outputs.

    Raises:
        ChildProcessError: If a run does not do what it should.
    """
    runs = folder / "runs"
    for options in FINISHED:
        if train("DDQN", f"seed{options[1]}", *options, runs=runs).wait():
            raise ChildProcessError("a run failed")
    killed = train("DQN", "killed", *LONG, runs=runs)
    wait_for(runs / "DQN" / "killed" / "best.safetensors", killed)
    os.killpg(killed.pid, signal.SIGKILL)
    living = train("DDQN", "living", *LONG, runs=runs)
    try:
        wait_for(runs / "DDQN" / "living" / "best.safetensors", living)
        time.sleep(65)  # a killed run is told from a living one on another machine by its silence
        return "\n\n".join(say(*words, folder=folder) for words in COMMANDS)
    finally:
        os.killpg(living.pid, signal.SIGKILL)
        living.wait()


def main() -> None:
    """Write it."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            text = session(Path(folder)).replace(f"{folder}/", "")
        write_block(PAGE, "session", f"```\n{text}\n```")
    except (ChildProcessError, OSError, ValueError) as e:
        refuse(e, EXIT_FAILED)
    print(PAGE)


if __name__ == "__main__":
    main()
