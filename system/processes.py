"""Signals and child processes: who hears what, and who ends with whom."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from pathlib import Path

from system import parent_death
from system.exits import raise_on_ctrl_c

SECONDS_TO_GET_OUT = 0.01  # of where an exception is lost
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)  # SIGHUP: the terminal is gone


def children_of(pid: int) -> list[int]:
    """Process ids of the children that multiprocessing started: workers of a trainer, processes of an evaluation."""
    return sorted(
        child
        for child, parent in _parents().items()
        if parent == pid and "spawn_main" in _command_line(child)
    )


def descendants_of(pid: int, command: str = "") -> set[int]:
    """Process ids of the children, their children, and so on.

    Args:
        pid: Process id of the ancestor.
        command: Only those whose command line contains this.
    """
    parents, found = _parents(), {pid}
    while more := {p for p, parent in parents.items() if parent in found} - found:
        found |= more
    return {p for p in found - {pid} if command in _command_line(p)}


def _parents() -> dict[int, int]:
    """The parent of every process."""
    parents = dict[int, int]()
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it ended just now
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
    return parents


def _command_line(pid: int) -> str:
    """Empty once it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    except OSError:
        return ""


@contextmanager
def blocked_signals(*signals: signal.Signals) -> Iterator[None]:
    """Start child processes with these signals blocked: Ctrl-C reaches a whole process group, but the parent decides.

    Its own signals are delayed until the children have started: a half-started process would print errors.
    """
    resource_tracker.ensure_running()  # or the first process starts it, which unblocks signals
    came: list[int] = []
    handlers = {s: signal.signal(s, lambda number, _: came.append(number)) for s in signals}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for s, handler in handlers.items():
            signal.signal(s, handler)
        for number in came:
            signal.raise_signal(number)


def end_with_parent() -> None:
    """In a child process: end at once when the parent is gone, however it went."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def on_first_stop_signal(act: Callable[[], None]) -> None:
    """Call `act` at the first of the stop signals; the second ends this process at once.

    SIGHUP stays ignored where it was: who says nohup means it.
    """
    signals = [s for s in STOP_SIGNALS if signal.getsignal(s) != signal.SIG_IGN]

    def heard(signum: int, frame: object) -> None:
        for s in signals:
            signal.signal(s, signal.SIG_DFL)
        with contextlib.suppress(OSError):  # the terminal may be gone
            line = b"\n" if os.isatty(2) else b""  # ^C stands there
            os.write(2, line + b"stopping; a second signal ends at once\n")  # print() may not
        act()

    for s in signals:
        signal.signal(s, heard)


def interrupt_for_sure() -> None:
    """SIGTERM raises KeyboardInterrupt as SIGINT does, and one that is lost is raised again."""
    raise_on_ctrl_c()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    act_again_if_lost(KeyboardInterrupt, lambda: signal.raise_signal(signal.SIGINT))


def act_again_if_lost(kind: type[BaseException], act: Callable[[], None]) -> None:
    """What a signal's handler raised is not lost in a bad moment: `act`, which raises it, is called again.

    Objects of the physics library have a `__del__`; an exception in there goes to `sys.unraisablehook` and no farther.

    Args:
        kind: What is raised.
        act: Called a moment later.
    """

    def hook(lost: sys.UnraisableHookArgs) -> None:
        if issubclass(lost.exc_type, kind):
            signal.setitimer(signal.ITIMER_REAL, SECONDS_TO_GET_OUT)
        else:
            sys.__unraisablehook__(lost)

    sys.unraisablehook = hook
    signal.signal(signal.SIGALRM, lambda *_: act())


def with_parent_death_signal(*words: str) -> list[str]:
    """A command line that gets SIGTERM when this process is gone, however it ended.

    Args:
        words: The program and its arguments.
    """
    return [sys.executable, "-I", parent_death.__file__, str(os.getpid()), *words]


def cause_of_death(exit_code: int | None) -> str:
    """Why a child process is gone, in words.

    Args:
        exit_code: As `multiprocessing.Process.exitcode` has it: negative for a signal.
    """
    if exit_code is None:
        return "gone for an unknown reason"
    if exit_code >= 0:
        return f"ended with exit code {exit_code}"
    names = {s.value: s.name for s in signal.Signals}
    killed = f"killed by {names.get(-exit_code, f'signal {-exit_code}')}"
    return f"{killed}: out of memory?" if -exit_code == signal.SIGKILL else killed
