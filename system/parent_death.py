"""Become another program, which gets SIGTERM when the process that started it is gone, however that ended.

python system/parent_death.py PARENT PROGRAM ARGUMENT...

A program of its own, because a process with threads can safely run almost nothing between fork and exec; it imports
nothing of ours, so that it takes 20 ms.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # prctl(2): outlives execve


def main() -> None:
    """Ask the kernel for the signal, then become the program."""
    parent, *program = sys.argv[1:]
    prctl = getattr(ctypes.CDLL(None), "prctl", None)  # Linux has it
    if prctl is not None:
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != int(parent):  # gone before it was asked
        raise SystemExit(1)
    os.execv(program[0], program)


if __name__ == "__main__":
    main()
