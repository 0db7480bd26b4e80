"""Executes a program that gets SIGTERM when its parent process ends for whatever reason, even if it is killed.

python system/parent_death.py PARENT_PID PROGRAM ARGUMENT...

This is a separate program because a process with threads can safely run almost nothing between fork and exec. It
imports nothing else of ours, so that it takes only 20 ms.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # see prctl(2); preserved across execve


def main() -> None:
    """Request the signal from the kernel, then execute the program."""
    parent, *program = sys.argv[1:]
    prctl = getattr(ctypes.CDLL(None), "prctl", None)  # Linux only
    if prctl is not None:
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != int(parent):  # the parent ended before the request
        raise SystemExit(1)
    os.execv(program[0], program)


if __name__ == "__main__":
    main()
