"""What is switched on and off during a run, and when."""

from __future__ import annotations

from pathlib import Path

from benchmarks.speed.overhead import BLOCK, WARM_UP, Blocks, Case, Sinks
from training.tracking.run_log import Progress, Sink


class Recorder(Case):
    """Keeps what it was told."""

    def __init__(self) -> None:
        self.switched = list[bool]()

    def switch(self, on: bool) -> None:
        self.switched.append(on)


def test_a_case_is_on_in_every_second_block_of_ticks_that_learn() -> None:
    case = Recorder()
    blocks = Blocks(case)
    phases = [("training", 0.0), ("validating", 1.0), ("training", 1.0)]  # only the last counts
    for _ in range(WARM_UP + 4 * BLOCK):
        for phase, updates in phases:
            blocks.progress(Progress(phase, 0, 0, 0.0, updates_per_second=updates))
    assert case.switched == [False, True, False, True, False]
    assert len(blocks.seconds) == 4


def test_sinks_that_are_off_get_nothing_but_their_end() -> None:
    class Told(Sink):
        def __init__(self) -> None:
            self.events = list[str]()

        def begin(self, run: Path, workers: int) -> None:
            self.events.append("begin")

        def notify(self, text: str) -> None:
            self.events.append(text)

        def close(self) -> None:
            self.events.append("close")

    told = Told()
    sinks = Sinks(lambda run: [told])
    sinks.begin(Path(), 0)
    for on, text in ((False, "one"), (True, "two"), (False, "three")):
        sinks.switch(on)
        sinks.notify(text)
    sinks.close()
    assert told.events == ["begin", "two", "close"]
