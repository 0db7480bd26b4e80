"""Video files, whole or not there."""

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
    """Write an mp4: call what this yields with every frame, RGB uint8 [height, width, 3]; a failed one leaves no file.

    Args:
        path: Of the file.
        size: Width and height, even numbers of pixels.
        fps: Frames per second.

    Raises:
        OSError: If the disk does not take it.
    """
    shown = 0

    def show(frame: NDArray[np.uint8]) -> None:
        nonlocal shown
        if shown:
            writer.send(np.ascontiguousarray(frame))
        else:  # no sooner: an encoder that gets no frame prints an error
            with blocked_signals(
                *STOP_SIGNALS
            ):  # or Ctrl-C could leave an encoder that nobody ends
                next(writer)
                writer.send(np.ascontiguousarray(frame))
        shown += 1

    with written_aside(path) as aside:
        aside.touch()  # fails with the reason, which the encoder would not give
        writer = imageio_ffmpeg.write_frames(
            str(aside),
            size,
            fps=fps,
            codec="libx264",  # or it asks the encoder, and a broken one answers with an IndexError
            macro_block_size=2,
            ffmpeg_log_level="quiet",
        )
        try:
            yield show
            writer.close()
            written, _ = imageio_ffmpeg.count_frames_and_secs(
                str(aside)
            )  # the encoder does not report errors
        except (OSError, RuntimeError) as e:
            raise OSError(errno.EIO, "the encoder failed; is the disk full?") from e
        finally:
            writer.close()
        if written != shown:
            raise OSError(errno.ENOSPC, f"only {written} of {shown} frames were written")
