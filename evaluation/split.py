"""Splits an evaluation: tracks into groups that drive in lockstep, and groups among processes."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Sequence

from system.cpus import usable_cpus
from system.memory import NotEnoughMemoryError, available_bytes, check_address_space

PLACES = 8  # rows of a network's batch, always
MIB = 2**20
# Needs of a process that drives, with TensorFlow (True) and without it, measured on Linux and rounded up: its own
# memory, memory shared with the other processes, and address space.
OWN_BYTES = {True: 340 * MIB, False: 70 * MIB}
SHARED_BYTES = {True: 450 * MIB, False: 50 * MIB}
ADDRESS_SPACE_BYTES = {True: 2200 * MIB, False: 600 * MIB}


def learned(name: str) -> bool:
    """Return whether a driver's name is that of a weight file, which needs TensorFlow."""
    return name.endswith(".safetensors")


def place(track: int) -> int:
    """Return the row of a track in every batch of a network."""
    return track % PLACES


def groups_in_step(tracks: Sequence[int], most: int) -> list[list[int]]:
    """Group tracks that drive in lockstep: no two tracks of a group have the same place.

    Args:
        tracks: Track seeds in any order; duplicates are allowed.
        most: Largest number of tracks in a group, at least 1.

    Returns:
        Groups of indices into `tracks`, every index once.
    """
    queues: list[deque[int]] = [deque() for _ in range(PLACES)]
    for index, track in enumerate(tracks):
        queues[place(track)].append(index)
    groups = []
    while fullest := sorted(filter(None, queues), key=len, reverse=True)[:most]:
        groups.append(sorted(queue.popleft() for queue in fullest))
    return groups


def count_processes(
    name: str, wanted: int | None, tracks: int, notify: Callable[[str], None]
) -> int:
    """Choose the number of processes to drive in.

    Args:
        name: Name of the driver.
        wanted: Number of processes; if None, the number of available cores.
        tracks: Number of tracks, which is also the largest useful number of processes.
        notify: Called with one line if there is only memory for fewer.

    Raises:
        NotEnoughMemoryError: If there is no memory for a single one.
    """
    network = learned(name)
    check_address_space("driving", ADDRESS_SPACE_BYTES[network])
    count = min(wanted or usable_cpus(), tracks)
    left, own = available_bytes(), OWN_BYTES[network]
    shared = 0 if network and "tensorflow" in sys.modules else SHARED_BYTES[network]  # loaded here
    fit = (left - shared) // own
    if count <= fit:
        return count
    if left < own:
        raise NotEnoughMemoryError(
            f"driving needs {own / MIB:.0f} MiB of memory, {left / MIB:.0f} are left"
        )
    fit = max(fit, 1)  # shared memory is file-backed: the system can evict it
    if fit < count:
        notify(
            f"driving in {fit} instead of {count} processes: each needs {own / MIB:.0f} MiB of"
            f" memory, {left / MIB:.0f} are left"
        )
    return fit
