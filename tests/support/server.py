"""boot.sh as a server runs it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
BOOT = ROOT / "boot.sh"
PATIENCE_SECONDS = 150.0  # for anything that must happen on a busy machine
# Where there is no .venv, boot.sh takes the first python3 in PATH: let it be this one.
ENVIRONMENT = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
TINY = [
    "--preset=smoke",
    "--learning-starts=64",
    "--validate-every=100000",
    "--validation-tracks=1",
]
TINY += ["--test-episodes=0", "--greedy-frame-skip=4"]


class Server:
    """Starts boot.sh and knows every process that came of it, by a mark in its environment."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self._mark = ("CARRACING_TEST_MARK", str(folder))

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        """Run boot.sh in the folder."""
        return self.start_in(self.folder, *arguments, **variables)

    def start_in(self, folder: Path, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        """Run boot.sh in another one."""
        port = {"TENSORBOARD_PORT": str(self.port), "TMPDIR": str(self.folder)}
        return subprocess.Popen(
            [str(BOOT), *arguments],
            cwd=folder,
            env={**ENVIRONMENT, **port, **variables, **dict([self._mark])},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # Tests that are run by nohup do not hear SIGHUP, nor would what they start.
            preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
        )

    def run(self, *arguments: str, **variables: str) -> tuple[int, str, str]:
        """Exit code, stdout and stderr of boot.sh; nothing that it started may be left."""
        out, err = (started := self.start(*arguments, **variables)).communicate(timeout=200)
        assert self.processes() == []
        return started.returncode, out, err

    def processes(self) -> list[int]:
        """Process ids of what runs."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if "=".join(self._mark).encode() in (process / "environ").read_bytes().split(b"\0"):
                    found.append(int(process.name))
            except OSError:
                continue  # it ended, or is somebody else's
        return found

    def answers(self, path: str = "") -> str:
        """What TensorBoard says, or nothing."""
        try:
            url = f"http://127.0.0.1:{self.port}/{path}"
            with urllib.request.urlopen(url, timeout=5) as answer:
                text: str = answer.read().decode()
                return text
        except OSError:
            return ""

    def pages(self) -> set[str]:
        """Names of TensorBoard's pages that have something to show."""
        listing = json.loads(self.answers("data/plugins_listing") or "{}")
        return {name for name, page in listing.items() if page["enabled"]}

    def healthy(self) -> bool:
        """Whether the health check passes."""
        return self.start("health").wait(timeout=20) == 0

    def checkpoints(self) -> list[int]:
        """Decisions of every checkpoint, oldest first."""
        states = self.folder.glob("runs/DDQN/*/checkpoints/*/state.json")
        return sorted(json.loads(p.read_text())["decisions"] for p in states)


def in_namespaces(*prepare: str) -> list[str]:
    """A command that runs another one where we are root and have a network and mounts of our own."""
    unshare = ["unshare", "--map-root-user", "--net", "--mount", "sh", "-c"]
    command = [*unshare, " && ".join([*prepare, 'exec "$0" "$@"'])]
    if subprocess.run([*command, "true"], capture_output=True).returncode:
        pytest.skip("this system does not let us make namespaces")
    return command


def wait_for(what: Callable[[], object]) -> None:
    """Until something is true."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not what():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.2)
