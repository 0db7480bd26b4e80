"""The scripts' own command lines, without the seconds that TensorFlow takes to load.

Each runs in a process and process group of its own, forked from this one, which has imported TensorFlow and done
nothing with it. From the fork on everything is real: arguments, files, output, signals, exit code.
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

from system.startup import protect_output

ROOT = Path(__file__).resolve().parents[1]
LOADED = ("tensorflow", "keras")  # in the process that forks, once


class Forked:
    """A script that runs.

    Args:
        script: Its name.
        options: Its command line.
        cwd: Where it begins.
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
        """The exit code, negative after a signal; None while it runs."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode

    def wait_until(self, what: Callable[[], bool]) -> None:
        """Until something is so.

        Raises:
            RuntimeError: If it ends before.
        """
        while not what():
            if self.poll() is not None:
                raise RuntimeError(f"ended with {self.returncode}: {self.out()}{self.err()}")
            time.sleep(0.0005)

    def cpu_seconds(self) -> float:
        """Processor time that it took so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def work(self, seconds: float) -> None:
        """Let it take so much more processor time."""
        end = self.cpu_seconds() + seconds
        self.wait_until(lambda: self.cpu_seconds() >= end)

    def finish(self) -> int:
        """Wait for its end and give the exit code."""
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
        """Whether anything is left of its process group."""
        try:
            os.killpg(self.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def out(self) -> str:
        """What it has said so far."""
        return _content(self._out.fileno())

    def err(self) -> str:
        """What it has complained about so far."""
        return _content(self._err.fileno())


def _content(file: int) -> str:
    return os.pread(file, os.fstat(file).st_size, 0).decode()


def _become(script: str, options: tuple[str, ...]) -> None:
    """In the child: be the script, and never return."""
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
