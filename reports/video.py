"""Writes video files atomically."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray

from system.files import written_aside
from system.processes import STOP_SIGNALS, blocked_signals


@contextmanager
def video(path: Path, size: tuple[int, int], fps: float) -> Iterator[Callable[..., None]]:
    """Write an MP4; after an error, there is no file.

    Args:
        path: File to write.
        size: Width and height in pixels, even numbers.
        fps: Frames per second.

    Yields:
        A function to call with every frame, RGB uint8 [height, width, 3].

    Raises:
        OSError: If the file cannot be written.
    """
    shown = 0

    def show(frame: NDArray[np.uint8]) -> None:
        nonlocal shown
        if shown:
            writer.send(np.ascontiguousarray(frame))
        else:  # started with the first frame, because an encoder without frames prints an error
            # Signals are blocked, so that Ctrl-C cannot leave a running encoder behind.
            with blocked_signals(*STOP_SIGNALS):
                next(writer)
                writer.send(np.ascontiguousarray(frame))
        shown += 1

    with written_aside(path) as aside:
        aside.touch()  # fails with a clear error, unlike the encoder
        writer = imageio_ffmpeg.write_frames(
            str(aside),
            size,
            fps=fps,
            # Otherwise imageio_ffmpeg queries the encoder, which fails with an IndexError if it is broken.
            codec="libx264",
            macro_block_size=2,
            ffmpeg_log_level="quiet",
        )
        try:
            yield show
            writer.close()
            # Checked because the encoder does not report errors.
            written, _ = imageio_ffmpeg.count_frames_and_secs(str(aside))
        except (OSError, RuntimeError) as e:
            raise OSError(errno.EIO, "the encoder failed; is the disk full?") from e
        finally:
            writer.close()
        if written != shown:
            raise OSError(errno.ENOSPC, f"only {written} of {shown} frames were written")
