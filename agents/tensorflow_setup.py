"""TensorFlow, set up before it allocates anything."""

from __future__ import annotations

from typing import TypeVar

from agents.backend import tf

T = TypeVar("T")


class DeviceError(ValueError):
    """The device that was asked for is not there."""


def set_up_tensorflow(threads: int, device: str = "auto") -> None:
    """Choose the device, let GPU memory grow, and make results repeatable.

    The order in which sums are taken depends on the number of threads, and with it the last bits of the weights:
    so it is a setting of the run, and the same in every process of it.

    Args:
        threads: Threads per operation.
        device: `auto`, `cpu`, `gpu` or `gpu:INDEX`.

    Raises:
        DeviceError: If there is no such GPU.
    """
    gpus = chosen_gpu(device, tf.config.list_physical_devices("GPU"))
    tf.config.set_visible_devices(gpus, "GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()


def chosen_gpu(device: str, gpus: list[T]) -> list[T]:
    """The one GPU to use, or none: on a shared server the others are somebody else's.

    Args:
        device: As for `set_up_tensorflow`.
        gpus: That TensorFlow sees.

    Raises:
        DeviceError: If there is no such GPU.
    """
    kind, _, index = device.partition(":")
    if kind not in ("auto", "cpu", "gpu") or (index and (kind != "gpu" or not index.isdecimal())):
        raise DeviceError(f"device must be auto, cpu, gpu or gpu:INDEX, got {device!r}")
    if kind == "cpu":
        return []
    wanted = int(index or 0)
    if kind == "gpu" and wanted >= len(gpus):
        raise DeviceError(
            f"device {device} was asked for, but TensorFlow sees {len(gpus)} GPUs;"
            " use --device cpu, or install requirements-gpu.lock and check the driver"
        )
    return gpus[wanted : wanted + 1]
