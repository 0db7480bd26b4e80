"""Progress: a bar for a person, lines for a log, nothing where nobody can read."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

from tests.support.command_line import ROOT

COUNT_TO_TEN = """
import time
from system import progress
progress.LINE_SECONDS = 0.2
with progress.progress("[counting]", "sheep") as on_progress:
    for done in range(11):
        on_progress(done, 10)
        time.sleep(0.1)
print("counted")
"""


def test_a_log_gets_lines() -> None:
    done = subprocess.run(
        [sys.executable, "-c", COUNT_TO_TEN],
        cwd=ROOT,
        env={**os.environ, "FORCE_COLOR": "1"},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "counted\n"
    lines = done.stderr.splitlines()
    assert 3 <= len(lines) <= 6, lines
    assert all(
        line.startswith("[counting]: ") and "0% of 10 sheep after " in line for line in lines
    )


def test_a_terminal_gets_a_bar() -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", COUNT_TO_TEN]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stderr=theirs,
        stdout=subprocess.PIPE,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(theirs)
    seen = b""
    try:
        while data := os.read(ours, 4096):
            seen += data
    except OSError:  # the terminal is gone with who wrote to it
        pass
    finally:
        os.close(ours)
    assert process.communicate()[0] == b"counted\n"
    assert b"[counting]" in seen
    assert b"100%" in seen
    assert b"sheep" not in seen


@pytest.mark.parametrize("closed", ["2>&-", "2>/dev/full", "2> >(exit 0)"])
def test_nobody_reads(closed: str) -> None:
    """Closed, a full disk, a reader that left: what is done goes on."""
    done = subprocess.run(
        ["bash", "-c", f"exec {sys.executable} -c '{COUNT_TO_TEN}' {closed}"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, "counted\n")
