"""Imported first in every script, to make it robust against closed outputs, an early Ctrl-C and foreign settings.

While Python loads the rest, Ctrl-C ends the script silently. Output that cannot be written (a pipe whose reader has
ended, a redirection to a full disk, a closed terminal, streams that were closed from the start) is dropped, so that
printing never ends a script. Settings that are meant for other programs turn no warning into an error and do not change
how figures look.
"""

from __future__ import annotations

import io
import os
import signal
import sys
import warnings


class Output(io.TextIOWrapper):
    """A standard stream that ignores write errors, and escapes characters that its encoding does not have."""

    def write(self, text: str) -> int:
        """Write the text, or drop it after an error."""
        try:
            return super().write(text)
        except OSError:
            self._give_up()
            return len(text)

    def flush(self) -> None:
        """Flush the stream, or drop what is buffered after an error."""
        try:
            super().flush()
        except OSError:
            self._give_up()

    def _give_up(self) -> None:
        """Redirect the stream and its buffer to /dev/null, also for C code and child processes."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)
        super().flush()


def is_our_script() -> bool:
    """Return whether the main program is a script of this repository, and not, for example, a notebook."""
    main = sys.modules["__main__"]
    script = getattr(main, "__file__", None)
    if script is None or main.__spec__ is not None:  # an interactive session, or `python -m`
        return False
    # os.path, because pathlib takes longer to import. Programs of a virtual environment in our folder are not ours.
    script, root = (
        os.path.realpath(script),
        os.path.dirname(os.path.dirname(os.path.realpath(__file__))),
    )
    environment = os.path.realpath(sys.prefix)
    return script.startswith(root + os.sep) and not script.startswith(environment + os.sep)


def let_ctrl_c_end_a_script_that_loads() -> None:
    """Restore the default action of SIGINT, which ends the process, while modules are loaded.

    While C extensions are imported, a KeyboardInterrupt may turn into an ImportError or get lost. Code that needs the
    exception turns it on again with `system.exits.raise_on_ctrl_c`.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def set_aside_settings_of_others() -> None:
    """Ignore settings for other programs, for example from a .bashrc, that would break this one or change its results.

    The physics library issues a warning while it loads, in C code that fails if warnings are errors. Matplotlib only
    writes files here, so it needs no GUI backend, and the user's style must not change the figures. OpenCV draws what
    drivers see: with other kernels, they drive differently. Child processes inherit all this.
    """
    sys.warnoptions[:] = [option for option in sys.warnoptions if not option.startswith("e")]
    warnings.filters = [kept for kept in warnings.filters if kept[0] != "error"]
    for name in ("PYTHONWARNINGS", "MPLBACKEND", "OPENCV_CPU_DISABLE", "OPENCV_IPP"):
        os.environ.pop(name, None)
    os.environ["MATPLOTLIBRC"] = os.devnull


def open_missing_descriptors() -> None:
    """Open closed standard streams (`2>&-`) on /dev/null, so that no other file gets their descriptors."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            nowhere = os.open(os.devnull, os.O_RDWR)  # gets the lowest free number
            os.set_inheritable(nowhere, True)  # otherwise child processes lack it again


def protect_output() -> None:
    """Make stdout and stderr ignore write errors."""
    for name, number in (("stdout", 1), ("stderr", 2)):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, _opened(number, "utf-8"))
        # Streams that a test or a notebook has replaced are left alone.
        elif type(stream) is io.TextIOWrapper and stream.fileno() == number:
            setattr(sys, name, _opened(number, stream.encoding))


def _opened(number: int, encoding: str) -> Output:
    raw = io.BufferedWriter(io.FileIO(number, "w", closefd=False))
    return Output(raw, encoding=encoding, errors="backslashreplace", line_buffering=True)


if is_our_script():
    let_ctrl_c_end_a_script_that_loads()
    set_aside_settings_of_others()
open_missing_descriptors()
protect_output()
