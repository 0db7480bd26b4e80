"""Driving in several processes: their number changes nothing, and their death is reported with its cause."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable

import pytest

from evaluation.drivers import load_driver
from evaluation.evaluation import drive, evaluate
from system.processes import children_of
from tests.support.command_line import start

TRACKS = [3, 1, 2]


@pytest.mark.slow
def test_the_number_of_processes_changes_nothing() -> None:
    """Nor does the camera, for who does not look."""
    calls: list[tuple[float, int]] = []
    one = evaluate("random", TRACKS, "fast", 1, lambda done, total: calls.append((done, total)))
    assert calls == sorted(calls)
    assert any(0 < done < 3 for done, _ in calls)
    assert calls[-1] == (3, 3)
    assert [e.track for e in one] == TRACKS
    assert evaluate("random", TRACKS, "fast", 2) == one
    assert [drive(load_driver("random"), track, "fast") for track in TRACKS] == one
    assert len({e.score for e in one}) == 3


@pytest.mark.slow
def test_processes_of_others_live_on() -> None:
    other = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(900,))
    other.start()
    try:
        assert len(evaluate("random", [1], "fast", 1)) == 1
        assert other.is_alive()
    finally:
        other.kill()
        other.join()


@pytest.mark.slow
def test_a_process_that_is_killed_is_named_with_the_cause() -> None:
    script = start(
        "evaluate", "random", "--tracks", "0:400", "--camera", "fast", "--processes", "2"
    )
    try:
        wait_for(lambda: len(children_of(script.pid)) == 2)
        os.kill(children_of(script.pid)[0], signal.SIGKILL)
        out, err = script.communicate(timeout=200)
    finally:
        script.kill()
    assert (script.returncode, out) == (1, "")
    expected = "error: a process was killed by SIGKILL: out of memory?; drive again"
    assert err.splitlines()[-1] == expected, err


def wait_for(what: Callable[[], bool]) -> None:
    end = time.monotonic() + 200
    while not what():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.1)
