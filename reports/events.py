"""Reads curves from a run's TensorBoard files without TensorFlow, even while a trainer is writing them."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

# TensorBoard's own reader loads TensorFlow; without it, it takes 20 s for a short run, for checksums in pure Python.
# A record is its length (uint64, little-endian), a checksum of the length, the data, and a checksum of the data.
_HEAD, _TAIL = struct.Struct("<Q4x"), 4
_FLOAT = 1  # DT_FLOAT


def read_scalars(run: Path) -> dict[str, NDArray[np.float64]]:
    """Read all scalar curves.

    If a file ends within a record because it is being written, the records before are returned.

    Args:
        run: Folder of the run.

    Returns:
        Decisions and values, float64 [n, 2], by tag.

    Raises:
        ValueError: If a file is damaged.
        OSError: If it cannot be read.
    """
    from google.protobuf.message import DecodeError
    from tensorboard.compat.proto.event_pb2 import Event

    curves: dict[str, list[tuple[float, float]]] = {}
    for file in sorted(run.glob("events.out.tfevents.*"), key=lambda p: p.name.rpartition(".")[2]):
        try:
            for event in map(Event.FromString, _records(file.read_bytes())):
                for value in event.summary.value:
                    # Only the first point of a curve in a file names the plugin.
                    if value.metadata.plugin_data.plugin_name in ("", "scalars"):
                        number = _number(value.tensor)
                        curves.setdefault(value.tag, []).extend((event.step, n) for n in number)
        except DecodeError:
            raise ValueError(f"{file}: damaged") from None
    return {tag: np.array(points) for tag, points in curves.items() if points}


def _records(data: bytes) -> Iterator[bytes]:
    at = 0
    while at + _HEAD.size <= len(data):
        (length,) = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        if at + length + _TAIL > len(data):
            return
        yield data[at : at + length]
        at += length + _TAIL


def _number(tensor: Any) -> list[float]:
    """Return the value of a float32 scalar in a list; an empty list for any other tensor."""
    if tensor.dtype != _FLOAT or tensor.tensor_shape.dim:
        return []
    if tensor.tensor_content:
        return [float(np.frombuffer(tensor.tensor_content, "<f4")[0])]
    return list(tensor.float_val[:1])
