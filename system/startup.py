"""Imported first in every script: no terminal, pipe, early Ctrl-C or setting for other programs breaks what follows.

Ctrl-C ends the script without a word while Python loads the rest. Output that nobody takes any more (a reader of a pipe
that has gone, a full disk behind a redirection, a terminal that is closed, streams closed from the start) is dropped:
printing decides over nothing. Warnings stay warnings, and pictures look as we draw them.
"""

from __future__ import annotations

import io
import os
import signal
import sys
import warnings


class Output(io.TextIOWrapper):
    """A standard stream that goes on without its reader, and writes what its encoding lacks as an escape."""

    def write(self, text: str) -> int:
        """Write, or drop."""
        try:
            return super().write(text)
        except OSError:
            self._give_up()
            return len(text)

    def flush(self) -> None:
        """Flush, or drop."""
        try:
            super().flush()
        except OSError:
            self._give_up()

    def _give_up(self) -> None:
        """From now on into nothing, for C code and child processes too; what is buffered goes there as well."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)
        super().flush()


def is_our_script() -> bool:
    """Whether one of our scripts runs, in any folder of ours, and not a program that imports us, such as a notebook."""
    main = sys.modules["__main__"]
    script = getattr(main, "__file__", None)
    if script is None or main.__spec__ is not None:  # typed in, or run by `python -m`
        return False
    # pathlib would load for longer. Programs of an environment that lies among our files are not ours.
    script, root = (
        os.path.realpath(script),
        os.path.dirname(os.path.dirname(os.path.realpath(__file__))),
    )
    environment = os.path.realpath(sys.prefix)
    return script.startswith(root + os.sep) and not script.startswith(environment + os.sep)


def let_ctrl_c_end_a_script_that_loads() -> None:
    """Leave SIGINT to the kernel: where C code imports, a KeyboardInterrupt comes out as an ImportError or not at all.

    Who has something to finish asks for the exception again: `system.exits.raise_on_ctrl_c`.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def set_aside_settings_of_others() -> None:
    """Leave out what a .bashrc sets for other programs and would end ours, or change what it does, with its children.

    The physics library warns while it loads, in C code that cannot take the warning as an error. Matplotlib is for
    files here, so it needs no backend, and no style of somebody's papers. OpenCV draws what drivers see: with other
    kernels they drive otherwise.
    """
    sys.warnoptions[:] = [option for option in sys.warnoptions if not option.startswith("e")]
    warnings.filters = [kept for kept in warnings.filters if kept[0] != "error"]
    for name in ("PYTHONWARNINGS", "MPLBACKEND", "OPENCV_CPU_DISABLE", "OPENCV_IPP"):
        os.environ.pop(name, None)
    os.environ["MATPLOTLIBRC"] = os.devnull


def open_missing_descriptors() -> None:
    """Give standard streams that were closed (`2>&-`) to /dev/null: no file of ours must get their numbers."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            nowhere = os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
            os.set_inheritable(nowhere, True)  # or child processes have none again


def protect_output() -> None:
    """Make stdout and stderr go on without their readers."""
    for name, number in (("stdout", 1), ("stderr", 2)):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, _opened(number, "utf-8"))
        elif (
            type(stream) is io.TextIOWrapper and stream.fileno() == number
        ):  # not a test's or a notebook's
            setattr(sys, name, _opened(number, stream.encoding))


def _opened(number: int, encoding: str) -> Output:
    raw = io.BufferedWriter(io.FileIO(number, "w", closefd=False))
    return Output(raw, encoding=encoding, errors="backslashreplace", line_buffering=True)


if is_our_script():
    let_ctrl_c_end_a_script_that_loads()
    set_aside_settings_of_others()
open_missing_descriptors()
protect_output()
