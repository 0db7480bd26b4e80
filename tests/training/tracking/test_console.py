"""What a screen and a log file show of a run."""

from __future__ import annotations

import io
import sys
from typing import Any

import pytest

import training.tracking.console
from training.tracking.console import ConsoleLog
from training.tracking.run_log import Progress

ROW: dict[str, Any] = {
    "decisions": 50_000,
    "updates": 3_120,
    "seconds": 90.0,
    "mean": 612.34,
    "std": 210.5,
    "min": 1.0,
    "max": 905.1,
    "laps": 3,
    "episodes": 32,
}


class Terminal(io.StringIO):
    """A screen, as far as one asks."""

    def isatty(self) -> bool:
        """Yes."""
        return True


class Clock:
    """A clock that we turn."""

    now = 0.0

    def monotonic(self) -> float:
        """Seconds."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(training.tracking.console, "time", clock)
    return clock


def test_a_validation_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    log = ConsoleLog()
    log.validation(ROW, 600.0)
    log.validation(ROW, 700.0)
    log.worker_lost("worker process 7 [red] died")
    assert capsys.readouterr().out.splitlines() == [
        "   50,000 decisions   3,120 updates    1.5 min  validation  612.3 ± 210.5  laps 3/32  best so far",
        "   50,000 decisions   3,120 updates    1.5 min  validation  612.3 ± 210.5  laps 3/32",
        "worker process 7 [red] died",  # no markup
    ]


def test_in_a_log_file_there_is_a_line_now_and_then(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every 30 seconds of training and every 5 of the rest; what is left is told from the pace of this phase."""
    log = ConsoleLog()
    for second in range(0, 61, 10):
        clock.now = second
        log.progress(Progress("training", 10_000 + 100 * second, 20_000, 512.0, 100.0, 6.0))
    log.progress(Progress("validating", 0, 32, 512.0))
    for done in range(1, 7):
        clock.now += 1
        log.progress(Progress("validating", done, 32, 512.0))
    log.close()
    assert capsys.readouterr().out.splitlines() == [
        "   13,000 of 20,000 decisions  score  512.0    100 decisions/s     6 updates/s  1.2 min left",
        "   16,000 of 20,000 decisions  score  512.0    100 decisions/s     6 updates/s  0.7 min left",
        "        5 of 32 episodes  validating  5 s",
    ]


def test_on_a_screen_there_is_a_bar_and_no_lines(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    log = ConsoleLog()
    for second in (0, 40, 80):
        clock.now = second
        log.progress(Progress("training", 50 * second, 4000, 512.0, 50.0, 3.0))
    log.close()
    shown = screen.getvalue()
    assert "score  512.0     50 decisions/s" in shown and "100%" in shown
    assert "min left" not in shown


def test_colours_that_were_forced_make_no_bar_in_a_file(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    log = ConsoleLog()
    for clock.now in (0, 31):
        log.progress(Progress("training", 500, 1000, 512.0, 50.0, 3.0))
    log.close()
    [line] = capsys.readouterr().out.splitlines()
    assert "min left" in line
