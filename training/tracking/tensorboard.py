"""A run's TensorBoard files: curves, films, the network, and hyperparameters with their results."""

from __future__ import annotations

import errno
import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.custom_scalar import summary as custom_scalar
from tensorboard.plugins.image import metadata as image_metadata
from tensorboard.plugins.scalar.summary_v2 import scalar_pb

from agents.backend import keras, tf
from racing.episode import Episode
from training.runs.run_folder import FREE_ON_RESUME
from training.tracking.curves import (
    FILM_SCALE,
    as_gif,
    episode_curves,
    tested_curves,
    validation_curves,
)
from training.tracking.run_log import RECENT_EPISODES, Sink

MILLISECONDS_TO_DISK = 5_000  # after which a point is visible, at most
# Elsewhere, TensorBoard sorts by name; groups in order of importance: driving, learning, speed, training.
# The tab Custom Scalars shows what matters on one page, in this order.
LAYOUT = {
    "How it drives": {
        "score": ["driving/score", "driving/best_score", "training/score"],
        "laps": ["driving/laps", "training/laps"],
    },
    "How it learns": {
        "loss": ["learning/loss"],
        "Q": ["learning/q"],
        "epsilon": ["learning/epsilon"],
    },
    "How fast": {
        "decisions/s": ["speed/decisions_per_second"],
        "updates/s": ["speed/updates_per_second"],
    },
}


class TensorBoardLog(Sink):
    """Writes event files that can be restored to their state at a checkpoint.

    Every checkpoint finishes the current file, and later events go into a new one.

    Args:
        folder: Folder of the run.
    """

    name = "events"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names: list[str] = []
        self._open: tf.summary.SummaryWriter | None = None
        self._laps: deque[int] = deque(maxlen=RECENT_EPISODES)

    @contextmanager
    def _writing(self, decisions: int) -> Iterator[None]:
        with self._disk_errors():
            if self._open is None:
                name = f"{len(self._names):04d}"
                self._open = tf.summary.create_file_writer(
                    str(self._folder),
                    flush_millis=MILLISECONDS_TO_DISK,
                    filename_suffix=f".{name}",
                )
                self._names.append(name)
            with self._open.as_default(step=decisions):
                yield

    @contextmanager
    def _disk_errors(self) -> Iterator[None]:
        """Turn TensorFlow's errors, which have many lines, into OSErrors."""
        try:
            yield
        except tf.errors.OpError as e:
            full = isinstance(e, tf.errors.ResourceExhaustedError)
            number = errno.ENOSPC if full else errno.EIO
            raise OSError(number, os.strerror(number), f"{self._folder}/events.*") from None

    def describe(self, settings: Mapping[str, Any], network: keras.Model) -> None:
        """Write the hyperparameters, the network, and the layout of the page.

        Args:
            settings: The settings of the run, by name; those that a resume may change are left out.
            network: The network that learns.
        """
        from tensorboard.plugins.hparams import api as hparams  # loads TensorFlow

        values = {k: _plain(v) for k, v in settings.items() if k not in FREE_ON_RESUME}
        shape = tf.TensorSpec((1, *network.input_shape[1:]), tf.uint8, "observation")
        with self._writing(0):
            hparams.hparams(values, trial_id="/".join(self._folder.parts[-2:]))
            tf.summary.graph(tf.function(network).get_concrete_function(shape).graph)
            tf.summary.experimental.write_raw_pb(_layout().SerializeToString())
            tf.summary.flush()

    def scalars(self, decisions: int, values: Mapping[str, float]) -> None:
        """Write one point of each curve, all at once: TensorFlow takes as long for a point as for fifty."""
        points = [scalar_pb(name, value).value[0] for name, value in values.items()]
        with self._writing(decisions):
            tf.summary.experimental.write_raw_pb(Summary(value=points).SerializeToString())

    def episode(
        self, decisions: int, episode: Episode, shaped_return: float, epsilon: float
    ) -> None:
        """Write a point of each curve of training episodes."""
        curves = episode_curves(episode, shaped_return, self._lap_share(episode.laps))
        self.scalars(decisions, curves)

    def _lap_share(self, lap: int) -> float:
        """Share of laps in the last episodes: zeros and ones would make no useful curve."""
        self._laps.append(lap)
        return sum(self._laps) / len(self._laps)

    def validation(self, row: Mapping[str, Any], best_before: float) -> None:
        """Write a point of each curve of driving."""
        self.scalars(row["decisions"], validation_curves(row, best_before))

    def test(self, decisions: int, episodes: Sequence[Episode]) -> None:
        """Write a point of each test curve, after the last checkpoint; a resumed run removes it."""
        self.scalars(decisions, tested_curves(episodes))
        self.close()

    def film(self, decisions: int, name: str, images: NDArray[np.uint8]) -> None:
        """Write grey images, uint8 [n, H, W], as a film that plays in the page."""
        metadata = image_metadata.create_summary_metadata(
            None,
            "A greedy drive on a validation track, as the network sees it.",
            converted_to_tensor=True,
        )
        height, width = (FILM_SCALE * pixels for pixels in images.shape[1:])
        encoded = [str(width).encode(), str(height).encode(), as_gif(images)]
        with self._writing(decisions):
            tf.summary.write(name, tf.constant(encoded), metadata=metadata)

    def close(self) -> None:
        """Finish the current file."""
        writer, self._open = self._open, None
        if writer is not None:
            with self._disk_errors():
                writer.close()

    def get_state(self) -> dict[str, Any]:
        """Return the names of all finished files, and the recent laps."""
        self.close()
        return {"files": list(self._names), "laps": list(self._laps)}

    def set_state(self, state: dict[str, Any] | list[str]) -> None:
        """Delete all other files; the state of older runs has only the names of files."""
        names = state["files"] if isinstance(state, dict) else state
        self._laps.extend(state["laps"] if isinstance(state, dict) else ())
        self._names = list(names)
        for path in self._folder.glob("events.out.tfevents.*"):
            if path.name.rpartition(".")[2] not in names:
                path.unlink()


def _plain(value: Any) -> bool | int | float | str:
    """Convert a value to a type that HParams accepts."""
    return value if isinstance(value, bool | int | float | str) else str(value)


def _layout() -> Any:
    categories = [
        layout_pb2.Category(
            title=title,
            chart=[
                layout_pb2.Chart(
                    title=name,
                    multiline=layout_pb2.MultilineChartContent(tag=[f"^{t}$" for t in tags]),
                )
                for name, tags in charts.items()
            ],
        )
        for title, charts in LAYOUT.items()
    ]
    return custom_scalar.pb(layout_pb2.Layout(category=categories))
