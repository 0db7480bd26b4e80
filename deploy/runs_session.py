"""Records a terminal session for docs/runs.md, with runs that are training, killed, and finished.

python -m deploy.runs_session    (three minutes)
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

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "runs.md"
MARK = "session"
PYTHON = ".venv/bin/python"
SHORT = ["--preset", "smoke"]
COMMANDS = (
    "list",
    "list --filter state=killed --csv",
    "monitor race --once",
    "review plain --no-maps",
    "compare plain cut --md",
    'label cut "the power went"',
    "verify plain",
    "export plain --out tables",
    "clean",
    "clean --yes",
    "clean --purge --yes",
    "list",
    "compare nobody",
)


def main() -> None:
    """Make the runs, run the commands, and write their output into the page."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for link in ("DDQN.py", "DQN.py", "runs.py"):
            (folder / link).symlink_to(ROOT / link)
        for name in ("first", "plain"):  # two, because the best run of a script is not cleaned
            _train(folder, "DQN.py", name).wait()
        killed = _train(folder, "DDQN.py", "cut", "--decisions", "200000")
        _wait_for(folder / "runs/DDQN/cut", 3)
        killed.kill()
        killed.wait()
        living = _train(folder, "DDQN.py", "race", "--decisions", "200000")
        try:
            _wait_for(folder / "runs/DDQN/race", 5)
            pieces = [_told(folder, command) for command in COMMANDS]
        finally:
            os.killpg(living.pid, signal.SIGTERM)
            living.wait()
    text = "```\n" + "\n".join(pieces) + "```"
    write_block(PAGE, MARK, text)
    print(f"{PAGE}: {len(COMMANDS)} commands")


def _train(folder: Path, script: str, name: str, *more: str) -> subprocess.Popen[bytes]:
    words = [sys.executable, script, *SHORT, "--name", name, "--workers", "0", *more]
    return subprocess.Popen(words, cwd=folder, stdout=subprocess.DEVNULL, start_new_session=True)


def _wait_for(run: Path, checkpoints: int) -> None:
    """Wait until a run has made this many checkpoints, including those deleted since."""
    seen = set[Path]()
    while len(seen) < checkpoints:
        seen |= set(run.glob("checkpoints/*/manifest.json"))
        time.sleep(0.1)


def _told(folder: Path, command: str) -> str:
    done = subprocess.run(
        f"{sys.executable} runs.py {command}",
        shell=True,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"COLUMNS": "124", "TERM": "dumb"},
    )
    said = done.stdout.replace(sys.executable, PYTHON).replace(f"{folder}/", "")
    code = f"(exit code {done.returncode})\n" if done.returncode else ""
    return (
        "\n".join(
            line.rstrip() for line in f"$ {PYTHON} runs.py {command}\n{said}{code}".splitlines()
        )
        + "\n"
    )


if __name__ == "__main__":
    main()
