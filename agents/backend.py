"""TensorFlow and Keras, imported without their greetings: import them from here."""

from __future__ import annotations

import os
import signal
import sys
import threading

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

_main = threading.current_thread() is threading.main_thread()
_ctrl_c = signal.signal(signal.SIGINT, signal.SIG_DFL) if _main else None  # TensorFlow swallows it
# Some lines are written straight to file descriptor 2 before the log level is read. A failed import still raises.
sys.stderr.flush()
_stderr = os.dup(2)
_nowhere = os.open(os.devnull, os.O_WRONLY)
os.dup2(_nowhere, 2)
try:
    import keras
    import tensorflow as tf

    tf.config.list_physical_devices()
finally:
    os.dup2(_stderr, 2)
    os.close(_stderr)
    os.close(_nowhere)
    if _main:
        signal.signal(signal.SIGINT, _ctrl_c)

__all__ = ["keras", "tf"]
