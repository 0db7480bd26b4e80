"""Runs command lines of the scripts without the seconds that TensorFlow takes to load, for tests and benchmarks.

Each runs in its own process and process group, forked from this process, which has imported TensorFlow but not used it.
Everything after the fork is as in a real run: arguments, files, output, signals, exit code.
"""

from __future__ import annotations

import importlib
import os
import runpy
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from system.processes import cpu_seconds
from system.startup import protect_output

ROOT = Path(__file__).resolve().parents[1]
LOADED = ("tensorflow", "keras")  # imported once, before the fork


class Forked:
    """A running script.

    Args:
        script: Name of the script, such as `DDQN`.
        options: Its command-line arguments.
        cwd: Its working directory.

    Attributes:
        pid: Its process id, which is also the id of its process group.
        returncode: Exit code, negative after a signal; None as long as `poll` has not seen its end.
    """

    def __init__(self, script: str, *options: str, cwd: Path = ROOT) -> None:
        os.environ["KERAS_BACKEND"] = "tensorflow"
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        for name in (*LOADED, script):
            importlib.import_module(name)
        self._out, self._err = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115
        self.returncode: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            os.setsid()
            os.chdir(cwd)
            for number, file in enumerate((open(os.devnull), self._out, self._err)):  # noqa: SIM115
                os.dup2(file.fileno(), number)
            _become(script, options)

    def poll(self) -> int | None:
        """Return the exit code, negative after a signal; None while the script runs."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode

    def wait_until(self, what: Callable[[], bool]) -> None:
        """Wait until `what` returns true.

        Raises:
            RuntimeError: If the script ends before that.
        """
        while not what():
            if self.poll() is not None:
                raise RuntimeError(f"ended with {self.returncode}: {self.out()}{self.err()}")
            time.sleep(0.0005)

    def work(self, seconds: float) -> None:
        """Wait until the script has used this much more CPU time."""
        end = cpu_seconds(self.pid) + seconds
        self.wait_until(lambda: cpu_seconds(self.pid) >= end)

    def finish(self) -> int:
        """Wait for the script to end and return its exit code."""
        while (code := self.poll()) is None:
            time.sleep(0.005)
        return code

    def kill(self) -> None:
        """Kill the whole process group and wait until it is gone."""
        os.killpg(self.pid, signal.SIGKILL)
        self.finish()
        while self.group_lives():
            time.sleep(0.005)

    def group_lives(self) -> bool:
        """Return whether any process of its process group is left."""
        try:
            os.killpg(self.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def out(self) -> str:
        """Return its stdout so far."""
        return _content(self._out.fileno())

    def err(self) -> str:
        """Return its stderr so far."""
        return _content(self._err.fileno())


def _content(file: int) -> str:
    return os.pread(file, os.fstat(file).st_size, 0).decode()


def _become(script: str, options: tuple[str, ...]) -> None:
    """Run the script in the child process; never returns."""
    sys.stdout = sys.stderr = None
    protect_output()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = [f"{script}.py", *options]
    code = 1
    try:
        runpy.run_path(str(ROOT / f"{script}.py"), run_name="__main__")
        code = 0
    except SystemExit as e:
        code = e.code if isinstance(e.code, int) else int(e.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        for name in ("stdout", "stderr"):
            getattr(sys, name).flush()
        os._exit(code)
