"""Names of new runs: which are valid, and how a name is claimed when several runs start at once."""

from __future__ import annotations

import errno
import os
import re
import time
from pathlib import Path

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class RunError(ValueError):
    """A run folder cannot be used; the message says why."""


def check_new(runs: Path, agent: str, name: str) -> None:
    """Check that a new run can have this name in this folder of runs.

    Raises:
        RunError: If it cannot; the message says why.
    """
    if name and not _NAME.fullmatch(name):
        raise RunError(f"a run's name is letters, digits, '.', '_' and '-', got {name!r}")
    path = runs / agent / name
    if not str(path).isprintable():
        raise RunError(f"a path that some tools here cannot handle: {str(path)!r}")
    try:
        for folder in (runs, runs / agent):
            if folder.is_symlink() and not folder.exists():
                raise RunError(f"{folder} is a link to {os.readlink(folder)}, which is not there")
        taken = path.is_symlink() or (any(path.iterdir()) if path.is_dir() else path.exists())
    except OSError as e:  # the path is too long, or there is no permission to read it
        raise RunError(f"cannot use {runs}: {e.strerror}; choose another --runs") from None
    if name and taken:
        raise RunError(f"{path} exists: choose another --name, or --resume {path}")


def put(aside: Path, folder: Path, name: str, seed: int) -> Path:
    """Give a new run its name; a name made from the time gets a number if it is taken."""
    stem = name or f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-seed{seed}"
    for number in range(1, 1000):
        path = folder / (stem if number == 1 else f"{stem}-{number}")
        try:
            return aside.rename(path)  # only one of several succeeds; replaces only empty folders
        except OSError as e:
            if e.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                raise
            if name:
                break
    raise RunError(f"{path} exists: choose another --name, or --resume {path}")


def umask() -> int:
    """Return the umask of this process."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
