"""A process that has TensorFlow loaded and becomes one of the scripts in each of its forks, on demand.

python -m tests.support.fork_server FD     (a Unix socket of packets; `Script` is its other end)
"""

from __future__ import annotations

import atexit
import functools
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PACKET = 2**18  # bytes
# What the scripts would load for seconds; none of it does anything before it is used.
LOADED = (
    *("keras", "tensorflow"),
    *("tensorboard.plugins.hparams.api", "tensorboard.plugins.custom_scalar.summary"),
    *("training.session", "training.main", "reports.curves"),
)


class Script:
    """A script in a process and a process group of its own, used as a `subprocess.Popen[str]` is.

    From its first line on everything is real: arguments, environment, files, pipes, signals, exit code. What its
    imports cost, TensorFlow first of all, was paid before the fork. How a script loads is not to be shown with it.

    Args:
        name: Of the script.
        options: Its command line.
        cwd: Where it begins.
    """

    def __init__(self, name: str, *options: str, cwd: Path = ROOT) -> None:
        (out, out_end), (err, err_end) = os.pipe(), os.pipe()
        self.returncode: int | None = None
        self.pid: int = _ask(
            {"script": name, "options": options, "cwd": str(cwd), "env": dict(os.environ)},
            (out_end, err_end),
        )
        os.close(out_end)
        os.close(err_end)
        self.stdout, self.stderr = (
            os.fdopen(out, encoding="utf-8"),
            os.fdopen(err, encoding="utf-8"),
        )

    def poll(self) -> int | None:
        """The exit code, negative after a signal; None while it runs."""
        if self.returncode is None:
            self.returncode = _ask({"pid": self.pid})
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end and give the exit code.

        Raises:
            subprocess.TimeoutExpired: If it lives longer than `timeout` seconds.
        """
        end = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if end is not None and time.monotonic() > end:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
            time.sleep(0.01)
        return code

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Wait for its end and give what it still says."""
        with ThreadPoolExecutor(2) as pool:
            said = pool.map(lambda stream: stream.read(), (self.stdout, self.stderr))
            try:
                self.wait(timeout)
            except subprocess.TimeoutExpired:
                os.killpg(self.pid, signal.SIGKILL)  # or its streams would not end
                raise
            out, err = said
        self.stdout.close()
        self.stderr.close()
        return out, err

    def send_signal(self, signum: int) -> None:
        """To the process alone, if it lives."""
        if self.poll() is None:
            os.kill(self.pid, signum)

    def kill(self) -> None:
        """Kill the process alone."""
        self.send_signal(signal.SIGKILL)


@functools.cache
def _server() -> socket.socket:
    """Start the process that forks; it ends with this one."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.fork_server", str(theirs.fileno())],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,  # TensorFlow's greetings
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
    atexit.register(_end, ours, process)
    return ours


def _end(requests: socket.socket, process: subprocess.Popen[bytes]) -> None:
    requests.close()
    process.wait()


def _ask(request: dict[str, object], files: Sequence[int] = ()) -> Any:
    """Send one request and wait for the answer to it."""
    socket.send_fds(_server(), [json.dumps(request).encode()], files)
    if not (packet := _server().recv(PACKET)):
        raise RuntimeError("python -m tests.support.fork_server has ended")
    return json.loads(packet)


def _serve(requests: socket.socket) -> str:
    """Fork and wait as asked, until nobody asks any more; in a fork, be prepared and give the script's path."""
    while True:
        packet, files, _, _ = socket.recv_fds(requests, PACKET, 2)
        if not packet:
            sys.exit()
        request = json.loads(packet)
        if "pid" in request:
            pid, status = os.waitpid(request["pid"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if pid else None
        elif answer := os.fork():
            for file in files:
                os.close(file)
        else:
            requests.close()
            return _prepared(request, files)
        requests.send(json.dumps(answer).encode())


def _prepared(request: dict[str, Any], files: list[int]) -> str:
    """As a shell leaves a process that it starts."""
    os.setsid()
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    for number, file in enumerate(files, start=1):
        os.dup2(file, number)
        os.close(file)
    sys.stdout, sys.stderr = (open(n, "w", closefd=False) for n in (1, 2))  # noqa: SIM115
    sys.modules.pop("system.startup", None)  # it does its work when it is imported
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = [f"{request['script']}.py", *request["options"]]
    return str(ROOT / sys.argv[0])


def _main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests
    os.environ |= {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    for name in LOADED:
        importlib.import_module(name)
    path = _serve(socket.socket(fileno=int(sys.argv[1])))
    runpy.run_path(path, run_name="__main__")


if __name__ == "__main__":
    _main()
