"""Locks that allow one run at a time per GPU, even if the same user has several sweeps on a server."""

from __future__ import annotations

import fcntl
import os
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agents.backend import check_device


def parse_devices(text: str) -> tuple[int, ...]:
    """Parse a list of GPUs such as `0,1`; empty for an empty text.

    Raises:
        ValueError: If it is not a list of different numbers.
    """
    words = text.split(",") if text else []
    numbers = tuple(int(word) for word in words if word.isascii() and word.isdecimal())
    if len(numbers) < len(words) or len(set(numbers)) < len(numbers):
        raise ValueError(f"devices must be different numbers of GPUs such as 0,1, got {text!r}")
    return numbers


@dataclass(frozen=True)
class TakenGpu:
    """A GPU that is locked for one run.

    Attributes:
        index: Index of the GPU among those that TensorFlow sees.
        lock: Descriptor of the open lock file. A child process that inherits it holds the lock until it ends, even if
            this process is killed.
    """

    index: int
    lock: int

    def release(self) -> None:
        """Close this process's descriptor of the lock."""
        os.close(self.lock)


class Gpus:
    """The GPUs of a sweep.

    Args:
        indices: Indices of the GPUs among those that TensorFlow sees.

    Raises:
        ValueError: If the folder for lock files cannot be created or belongs to another user.
    """

    def __init__(self, indices: Sequence[int]) -> None:
        self._indices = indices
        self._folder = Path(tempfile.gettempdir()) / f"carracing-dqn-{os.getuid()}"
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            facts = self._folder.lstat()
        except OSError as e:
            raise ValueError(f"cannot make {self._folder} for locks: {e.strerror}") from None
        if facts.st_uid != os.getuid():
            raise ValueError(f"{self._folder}, where GPUs are locked, is another user's")

    def take(self) -> TakenGpu | None:
        """Lock a GPU that no other run uses; None if all are in use."""
        for index in self._indices:
            lock = os.open(self._folder / f"gpu-{_name(index)}", os.O_CREAT | os.O_RDWR, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
                continue
            os.utime(lock)  # so that programs that clean /tmp keep it
            return TakenGpu(index, lock)
        return None


def gpus_for(devices: Sequence[int], device: str) -> Gpus | None:
    """Return the GPUs that `--devices` names; None if it names none.

    Args:
        devices: GPUs from `--devices`.
        device: The setting `device` of the runs.

    Raises:
        ValueError: If the setting is invalid or contradicts `devices`, or the folder for locks cannot be used.
    """
    check_device(device)
    if devices and device != "auto":
        raise ValueError(
            f"--devices gives each run its GPU, but device is {device}: give only one of the two"
        )
    return Gpus(devices) if devices else None


def _name(index: int) -> str:
    """Return a GPU's name in CUDA_VISIBLE_DEVICES, which may number the GPUs differently for every process."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    name = visible[index].strip() if index < len(visible) else ""
    return re.sub(r"[^\w-]", "_", name) or str(index)
