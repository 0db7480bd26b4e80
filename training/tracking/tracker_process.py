"""The process that sends a run to a tracker. What it fails to send is missing only at the tracker."""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import inspect
import json
import multiprocessing
import os
import secrets
import signal
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.weights import read_card
from system.files import replace_file, write_whole
from system.secrets import masked
from training.runs.run_folder import BEST, as_json
from training.tracking.curves import as_gif
from training.tracking.points import Row

PROJECT = "carracing-dqn"
FOLDER = "tracking"  # in the run's folder
NICE = 5  # training has priority
SECONDS_AFTER_TRAINER = 10.0  # to finish after the trainer has ended


@dataclass(frozen=True)
class Batch:
    """The points and films since the last checkpoint.

    Attributes:
        rows: Decisions and their values.
        films: Images of greedy drives, uint8 [n, H, W], by decisions.
        last: Whether the run is finished.
    """

    rows: list[tuple[int, Row]]
    films: Mapping[int, NDArray[np.uint8]]
    last: bool = False


def serve(pipe: Connection, package: str, folder: Path, config: dict[str, Any]) -> None:
    """Send batches from the pipe to the tracker until None arrives or the trainer is gone; report problems back.

    Args:
        pipe: Pipe that receives `Batch` objects.
        package: The tracker's module.
        folder: Folder of the run.
        config: Settings by name.
    """
    os.setsid()
    os.nice(NICE)
    threading.Thread(target=_end_after_trainer, daemon=True).start()
    _silence()
    try:
        with _one_at_a_time(folder / FOLDER):
            tracked = Tracked(package, folder, config)
            with contextlib.suppress(EOFError):
                while (batch := pipe.recv()) is not None:
                    try:
                        tracked.hand_on(batch)
                    except Exception as e:
                        _complain(pipe, e)
            tracked.finish()
    except Exception as e:
        _complain(pipe, e)


def hand_on_run(
    package: str, folder: Path, config: dict[str, Any], rows: list[tuple[int, Row]], last: bool
) -> int:
    """Send the points of a run that were not sent before, from this process; returns their number.

    Args:
        package: The tracker's module.
        folder: Folder of the run.
        config: Settings by name.
        rows: Decisions and their values.
        last: Whether the run is finished: then the card of its weights is sent, too.
    """
    with _one_at_a_time(folder / FOLDER):
        tracked = Tracked(package, folder, config)
        new = [row for row in rows if row[0] > tracked.reached]
        if new:
            tracked.hand_on(Batch(new, {}, last))
        tracked.finish()
    return len(new)


class Tracked:
    """A run in a tracker.

    Args:
        package: The tracker's module.
        folder: Folder of the run.
        config: Settings by name.
    """

    def __init__(self, package: str, folder: Path, config: dict[str, Any]) -> None:
        self._folder, self._mine = folder, folder / FOLDER
        self._handed_on = self._mine / f"{package}.json"
        self._module = importlib.import_module(package)
        self._id = _identity(self._mine / "id")
        name = f"{'-'.join(folder.parts[-2:])}-{self._id}"
        plain = json.loads(json.dumps(config, default=str))
        arguments = {"project": PROJECT, "name": name, "config": plain, "resume": "allow"}
        arguments |= _more_arguments(self._module, self._id, self._mine)
        self._run = self._module.init(**arguments)

    @property
    def reached(self) -> int:
        """Decisions up to which everything was sent."""
        try:
            return int(json.loads(self._handed_on.read_bytes())["decisions"])
        except FileNotFoundError:
            return -1

    def hand_on(self, batch: Batch) -> None:
        """Send a batch, without points that were sent before: a killed run repeats those after its last checkpoint."""
        reached = self.reached
        with tempfile.TemporaryDirectory(dir=self._mine) as aside:
            for decisions, row in batch.rows:
                if decisions <= reached:
                    continue
                values: dict[str, Any] = dict(row)
                if decisions in batch.films:
                    film = Path(aside, f"{decisions}.gif")
                    film.write_bytes(as_gif(batch.films[decisions]))
                    values["driving/film"] = self._module.Video(str(film), format="gif")
                self._run.log(values, step=decisions)
                reached = decisions
            replace_file(self._handed_on, json.dumps({"decisions": reached}).encode())
            if batch.last:
                path = Path(aside, "card.json")
                path.write_bytes(as_json(read_card(self._folder / BEST)))
                self._run.log_artifact(str(path), name=f"card-{self._id}", type="model-card")

    def finish(self) -> None:
        """Wait until everything is sent."""
        self._run.finish()


def _more_arguments(module: Any, identity: str, folder: Path) -> dict[str, Any]:
    """Return tracker-specific arguments; they turn off the upload of code and of data about the machine."""
    if module.__name__ == "wandb":
        settings = module.Settings(
            console="off",
            disable_git=True,
            save_code=False,
            x_disable_machine_info=True,
            x_save_requirements=False,
        )
        project = os.environ.get("WANDB_PROJECT", PROJECT)
        return {"id": identity, "dir": str(folder), "settings": settings, "project": project}
    wanted = {"auto_log_cpu": False, "auto_log_gpu": False, "embed": False}
    known = inspect.signature(module.init).parameters
    return {name: value for name, value in wanted.items() if name in known}


def _identity(path: Path) -> str:
    """Return the run's identifier at trackers; it is created on the first call and kept in a file."""
    if not path.exists():
        write_whole(path, secrets.token_hex(4).encode())
    return path.read_text()


@contextlib.contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Wait until the process of an earlier, killed trainer of this run has ended."""
    folder.mkdir(exist_ok=True)
    with (folder / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _silence() -> None:
    """Keep the output of trackers off the trainer's screen."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(nowhere, number)
    os.close(nowhere)


def _end_after_trainer() -> None:
    """End this process and all that it started some seconds after the trainer, even if something hangs."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    time.sleep(SECONDS_AFTER_TRAINER)
    os.killpg(0, signal.SIGKILL)


def _complain(pipe: Connection, e: Exception) -> None:
    """Send one line, with the values of secrets masked."""
    lines = str(e).strip().splitlines() or [""]
    with contextlib.suppress(OSError):
        pipe.send(masked(f"failed: {type(e).__name__}: {lines[0][:200]}"))
