"""The processor time that is charged to what watches a run."""

from __future__ import annotations

import os
import time
from pathlib import Path

from benchmarks.speed.overhead import WARM_UP, Case, Meter, processor_seconds
from training.tracking.run_log import Progress, Sink

WORK = 0.02  # seconds of processor time


class Busy(Sink):
    """Takes processor time at each tick, and tells nothing else."""

    def __init__(self) -> None:
        self.events = list[str]()

    def begin(self, run: Path, workers: int) -> None:
        self.events.append(f"begin {run}")

    def progress(self, progress: Progress) -> None:
        self.events.append(progress.phase)
        end = time.thread_time() + WORK
        while time.thread_time() < end:
            pass


def test_what_a_sink_takes_is_charged_to_it_after_the_first_ticks() -> None:
    busy, ticks = Busy(), 3
    case = Case(lambda run: [busy])
    meter = Meter(case, ticks)
    for sink in (meter, case):
        sink.begin(Path("run"), 0)
    for _ in range(WARM_UP + ticks):
        case.progress(Progress("training", 0, 0, 0.0, updates_per_second=1.0))
        meter.progress(Progress("validating", 0, 0, 0.0))  # counts as no tick
        meter.progress(Progress("training", 0, 0, 0.0, updates_per_second=1.0))
    assert busy.events == ["begin run"] + ["training"] * (WARM_UP + ticks)
    assert WORK * ticks <= meter.watching < 2 * WORK * ticks
    assert meter.at_first >= WORK * WARM_UP
    assert meter.training < WORK * ticks, "the sink's time is not the training's"


def test_processor_time_of_processes() -> None:
    before = processor_seconds({os.getpid()})
    end = time.process_time() + 0.1
    while time.process_time() < end:
        pass
    assert 0.08 < processor_seconds({os.getpid()}) - before < 1
    assert processor_seconds({2**30}) == 0
