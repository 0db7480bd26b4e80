"""TensorBoard without TensorFlow: python -P -m training.tracking.tensorboard_server, with TensorBoard's own options.

TensorBoard includes a stub of TensorFlow, which is enough for the same pages. With it, TensorBoard starts in a fifth of
the time, with an eighth of the memory, and uses no GPU.
"""

from __future__ import annotations

import contextlib
import io
import signal
import sys

from system.exits import EXIT_FAILED, exit_with_error


def main(arguments: list[str]) -> None:
    """Serve until SIGTERM or SIGINT, then exit with code 0.

    Args:
        arguments: The program's name, then TensorBoard's options.

    Raises:
        SystemExit: With EXIT_FAILED and one line if TensorBoard cannot serve.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit())
    # TensorBoard uses its stub if a module of this name can be imported.
    sys.modules["tensorboard.compat.notf"] = sys
    from tensorboard.program import TensorBoard, TensorBoardServerException

    server = TensorBoard()
    server.configure(arguments)
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # notes on startup and on missing features
            server.launch()
    except TensorBoardServerException as e:
        exit_with_error(f"TensorBoard: {e.msg}", EXIT_FAILED)
    while True:
        signal.pause()


if __name__ == "__main__":
    main(sys.argv)
