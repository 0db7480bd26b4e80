"""An objective for a search without training: the mean of a function over cases, for example over driven tracks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import wait
from functools import partial
from pathlib import Path
from typing import Any

from experiments.jobs import StoppedError, UnfinishedError
from experiments.trials import Trial
from system.files import write_whole
from system.process_pool import in_processes
from system.progress import progress
from training.stop import Stop

POLL_SECONDS = 0.2
GO_ON = "the same command line continues"


class MeanOverCases:
    """The mean score over cases; the length of a trial is the number of cases, counted from the first.

    Args:
        score: Computes the score of a trial's values in one case. It must be deterministic and defined at module level.
        cases: All cases, for example reset seeds of tracks.
        path: File of the known scores; each is appended at once, in an order that does not depend on `jobs`.
        jobs: Number of processes.
        stop: Checked several times a second.

    Raises:
        ValueError: If the file is damaged.
    """

    def __init__(
        self,
        score: Callable[[dict[str, Any], int], float],
        cases: Sequence[int],
        path: Path,
        jobs: int,
        stop: Stop,
    ) -> None:
        self._score, self._cases, self._path = score, cases, path
        self._jobs, self._stop = jobs, stop
        self._known: dict[tuple[int, int], float] = {}
        data = path.read_text() if path.exists() else ""
        self._text = data[: data.rfind("\n") + 1]  # without a partly written last line
        try:
            for line in self._text.splitlines():
                trial, case, found = line.split(",")
                self._known[int(trial), int(case)] = float(found)
        except ValueError:
            raise ValueError(f"{path}: damaged") from None

    def measure(self, trials: Sequence[Trial], length: int) -> None:
        """Compute the missing scores of the first `length` cases.

        Raises:
            StoppedError: If a stop was requested.
            UnfinishedError: If a process was killed.
            OSError: If the file cannot be written.
        """
        cases = self._cases[:length]
        keys = {(t.number, case): t.values for t in trials for case in cases}
        missing = {key: values for key, values in keys.items() if key not in self._known}
        if missing:
            self._compute(missing)
        for trial in trials:
            trial.reach(length, [self._known[trial.number, case] for case in cases])

    def _compute(self, missing: dict[tuple[int, int], dict[str, Any]]) -> None:
        calls = [partial(self._score, values, case) for (_, case), values in missing.items()]
        write_whole(self._path, self._text.encode())
        try:
            with (
                self._path.open("a", buffering=1) as file,
                progress("measuring", "cases") as on_progress,
                in_processes(calls, self._jobs, GO_ON) as futures,
            ):
                for count, (key, future) in enumerate(zip(missing, futures, strict=True)):
                    while wait([future], POLL_SECONDS).not_done:
                        on_progress(count, len(calls))
                        if self._stop.asked:
                            raise StoppedError
                    self._known[key] = future.result()
                    file.write(f"{key[0]},{key[1]},{self._known[key]!r}\n")
        except ChildProcessError as e:
            raise UnfinishedError(str(e)) from None
        self._text = self._path.read_text()
