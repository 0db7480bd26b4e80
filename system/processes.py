"""Signals and child processes: which process handles which signal, and children that end with their parent."""

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

SECONDS_TO_GET_OUT = 0.01  # of code in which an exception is lost, such as a `__del__`
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)  # SIGHUP: the terminal was closed


def children_of(pid: int) -> list[int]:
    """Return the ids of the child processes that multiprocessing started, such as the workers of a trainer."""
    return sorted(
        child
        for child, parent in _parents().items()
        if parent == pid and "spawn_main" in _command_line(child)
    )


def descendants_of(pid: int, command: str = "") -> set[int]:
    """Return the ids of a process's children, their children, and so on.

    Args:
        pid: Id of the process.
        command: If given, only the processes whose command line contains this.
    """
    parents, found = _parents(), {pid}
    while more := {p for p, parent in parents.items() if parent in found} - found:
        found |= more
    return {p for p in found - {pid} if command in _command_line(p)}


def _parents() -> dict[int, int]:
    """Return the parent's id of every process, by process id."""
    parents = dict[int, int]()
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # the process has just ended
            parents[int(path.parent.name)] = int(_stat(int(path.parent.name))[1])
    return parents


def cpu_seconds(pid: int, with_ended_children: bool = False) -> float:
    """Return the CPU time that a process has used so far, in seconds.

    Args:
        pid: Id of the process.
        with_ended_children: Add the CPU time of its children that have ended.

    Raises:
        OSError: If there is no such process.
    """
    ticks = _stat(pid)[11 : 15 if with_ended_children else 13]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat after the process's name, which may contain spaces."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _command_line(pid: int) -> str:
    """Return the command line of a process; empty if it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    except OSError:
        return ""


@contextmanager
def blocked_signals(*signals: signal.Signals) -> Iterator[None]:
    """Block signals in the child processes that are started within the block.

    Ctrl-C reaches a whole process group, but only the parent should react to it. The parent's own signals are delayed
    until the end of the block, because an interrupted start of a process would print errors.
    """
    resource_tracker.ensure_running()  # otherwise the first process starts it, which unblocks signals
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
    """Make this child process end as soon as its parent has ended, even if the parent was killed."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def on_first_stop_signal(act: Callable[[], None]) -> None:
    """Call `act` on the first stop signal; a second one ends this process at once.

    Signals that are ignored stay ignored, such as SIGHUP under nohup.
    """
    signals = [s for s in STOP_SIGNALS if signal.getsignal(s) != signal.SIG_IGN]

    def heard(signum: int, frame: object) -> None:
        for s in signals:
            signal.signal(s, signal.SIG_DFL)
        with contextlib.suppress(OSError):  # the terminal may be gone
            line = b"\n" if os.isatty(2) else b""  # the terminal has printed ^C on this line
            # print() is not reentrant.
            os.write(2, line + b"stopping; a second signal ends at once\n")
        act()

    for s in signals:
        signal.signal(s, heard)


def interrupt_for_sure() -> None:
    """Make SIGTERM raise KeyboardInterrupt, as SIGINT does; if the exception is lost, it is raised again."""
    raise_on_ctrl_c()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    act_again_if_lost(KeyboardInterrupt, lambda: signal.raise_signal(signal.SIGINT))


def act_again_if_lost(kind: type[BaseException], act: Callable[[], None]) -> None:
    """Call `act` again whenever an exception that a signal handler raised was lost.

    Objects of the physics library have a `__del__` method. An exception raised in there is not propagated, but only
    passed to `sys.unraisablehook`.

    Args:
        kind: Type of the exception.
        act: Called a moment later, to raise the exception again.
    """

    def hook(lost: sys.UnraisableHookArgs) -> None:
        if issubclass(lost.exc_type, kind):
            signal.setitimer(signal.ITIMER_REAL, SECONDS_TO_GET_OUT)
        else:
            sys.__unraisablehook__(lost)

    sys.unraisablehook = hook
    signal.signal(signal.SIGALRM, lambda *_: act())


def with_parent_death_signal(*words: str) -> list[str]:
    """Wrap a command line so that its process gets SIGTERM when this process ends, even if it is killed.

    Args:
        words: The program and its arguments.

    Returns:
        The wrapped command line.
    """
    return [sys.executable, "-I", parent_death.__file__, str(os.getpid()), *words]


def cause_of_death(exit_code: int | None) -> str:
    """Say in words why a child process ended.

    Args:
        exit_code: As in `multiprocessing.Process.exitcode`: negative for a signal; None if unknown.
    """
    if exit_code is None:
        return "gone for an unknown reason"
    if exit_code >= 0:
        return f"ended with exit code {exit_code}"
    names = {s.value: s.name for s in signal.Signals}
    killed = f"killed by {names.get(-exit_code, f'signal {-exit_code}')}"
    return f"{killed}: out of memory?" if -exit_code == signal.SIGKILL else killed
