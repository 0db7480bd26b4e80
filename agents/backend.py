"""TensorFlow and Keras, loaded lazily: import them from here.

They are loaded on first use, so that the command line is parsed and `--help` answered without the seconds that
TensorFlow takes to load. Options that affect the numerical results are set here, whatever the environment says.
"""

from __future__ import annotations

import gc
import importlib
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

T = TypeVar("T")

# Variables for kernels, precision and threads that a .bashrc or a shared server's module file may set for other
# programs. We use TensorFlow's defaults, and the number of threads in the run's settings.
NOT_OURS = (
    *("KERAS_BACKEND", "TF_USE_LEGACY_KERAS", "TF_ENABLE_ONEDNN_OPTS", "TF_DISABLE_MKL"),
    *("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "ONEDNN_DEFAULT_FPMATH_MODE", "TF_XLA_FLAGS"),
    *("DNNL_DEFAULT_FPMATH_MODE", "TF_SET_ONEDNN_FPMATH_MODE", "NVIDIA_TF32_OVERRIDE"),
    *("TF_OVERRIDE_GLOBAL_THREADPOOL", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"),
    "TF_GPU_THREAD_MODE",
)


class DeviceError(ValueError):
    """The requested device does not exist."""


if TYPE_CHECKING:
    import keras
    import tensorflow as tf
else:

    class _Lazy(ModuleType):
        """A placeholder for a module, which it loads on the first attribute access."""

        def __getattr__(self, name: str) -> Any:
            return getattr(_load(self.__name__), name)

    keras, tf = _Lazy("keras"), _Lazy("tensorflow")


def _load(name: str) -> ModuleType:
    """Import both, with Keras configured as in a fresh installation and the Ctrl-C handler kept."""
    for variable in NOT_OURS:
        os.environ.pop(variable, None)
    os.environ["KERAS_BACKEND"] = "tensorflow"
    # Keras may refuse to load with what is in ~/.keras/keras.json.
    os.environ["KERAS_HOME"] = os.devnull
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main = threading.current_thread() is threading.main_thread()
    ctrl_c = signal.signal(signal.SIGINT, signal.SIG_DFL) if main else None  # it would swallow it
    try:
        with _greetings_held_back(), _matplotlib_left_out(), _garbage_left_alone():
            ours = importlib.import_module("keras")
            importlib.import_module("tensorflow").config.list_physical_devices()
    finally:
        if main:
            signal.signal(signal.SIGINT, ctrl_c)
    # Who imported Keras before us may have read that file.
    ours.config.set_floatx("float32")
    ours.config.set_dtype_policy("float32")
    ours.config.set_epsilon(1e-7)
    ours.config.set_image_data_format("channels_last")
    for lazy in (keras, tf):
        lazy.__dict__.update(importlib.import_module(lazy.__name__).__dict__)
    return importlib.import_module(name)


@contextmanager
def _greetings_held_back() -> Iterator[None]:
    """Hide what the import writes to file descriptor 2 at any log level; show it if the import fails."""
    with tempfile.TemporaryFile() as said:
        stderr = os.dup(2)
        os.dup2(said.fileno(), 2)
        try:
            yield
        except BaseException:
            os.write(stderr, os.pread(said.fileno(), 1 << 20, 0))
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


@contextmanager
def _matplotlib_left_out() -> Iterator[None]:
    """Keras loads Matplotlib if it is there, for plots that nobody asks for: a sixth of its time, in every process."""
    hidden = "matplotlib" not in sys.modules
    if hidden:
        sys.modules["matplotlib"] = None  # type: ignore[assignment]  # importing it raises ImportError
    try:
        yield
    finally:
        if hidden:
            del sys.modules["matplotlib"]


@contextmanager
def _garbage_left_alone() -> Iterator[None]:
    """What is loaded stays, some 300,000 objects: the collector need not visit them, neither now nor later."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if collects:
            gc.enable()


def set_up_tensorflow(threads: int, device: str = "auto") -> None:
    """Choose the device, let GPU memory grow, and make results reproducible; call it before TensorFlow is used.

    The number of threads determines the order of summation, and so the last bits of the weights. It is therefore a
    setting of the run, and the same in all its processes.

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
    # Newer NVIDIA GPUs would otherwise multiply with a mantissa of 10 bits, where a CPU has 23.
    tf.config.experimental.enable_tensor_float_32_execution(False)


def learning_device() -> str:
    """Return what learns, which the last bits of the weights depend on: `CPU`, or the name of the GPU."""
    gpus = tf.config.get_visible_devices("GPU")
    if not gpus:
        return "CPU"
    return str(tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU"))


def check_device(device: str) -> None:
    """Check the name of a device, without loading TensorFlow.

    Raises:
        DeviceError: If it is none of `auto`, `cpu`, `gpu` and `gpu:INDEX`.
    """
    kind, _, index = device.partition(":")
    if kind not in ("auto", "cpu", "gpu") or (index and (kind != "gpu" or not index.isdecimal())):
        raise DeviceError(f"device must be auto, cpu, gpu or gpu:INDEX, got {device!r}")


def chosen_gpu(device: str, gpus: list[T]) -> list[T]:
    """Return the one GPU to use, or none; on a shared server, the others are left to other users.

    Args:
        device: As for `set_up_tensorflow`.
        gpus: The GPUs that TensorFlow sees.

    Raises:
        DeviceError: If there is no such GPU.
    """
    check_device(device)
    kind, _, index = device.partition(":")
    if kind == "cpu":
        return []
    wanted = int(index or 0)
    if kind == "gpu" and wanted >= len(gpus):
        raise DeviceError(
            f"device {device} was asked for, but TensorFlow sees {len(gpus)} GPUs;"
            " use --device cpu, or install requirements-gpu.lock and check the driver"
        )
    return gpus[wanted : wanted + 1]


__all__ = [
    "DeviceError",
    "check_device",
    "chosen_gpu",
    "keras",
    "learning_device",
    "set_up_tensorflow",
    "tf",
]
