"""The tuner of the PID's gains, on a track or two."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from agents.pid import PidGains
from benchmarks.learning.tune_pid import SPACE, Options, main
from experiments.trials import COMPLETE, ENDED_EARLY, read_trials


@pytest.mark.slow
def test_the_present_gains_come_first_and_nothing_is_driven_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], signal_handlers: None
) -> None:
    options = Options(trials=2, tracks=2, rungs=2, batch=2, jobs=2, folder=tmp_path)
    main(options)
    said = capsys.readouterr().out
    first, second = read_trials(tmp_path, SPACE)
    assert first.values == asdict(PidGains())
    assert {first.state, second.state} == {COMPLETE, ENDED_EARLY}
    assert first.steps[1] > 850, "they get round"
    assert (tmp_path / "report.md").read_text() in said
    driven = (tmp_path / "scores.csv").stat()
    main(options)
    again = (tmp_path / "scores.csv").stat()
    assert (driven.st_ino, driven.st_mtime_ns) == (again.st_ino, again.st_mtime_ns)
    assert capsys.readouterr().out == said


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"trials": 0}, "trials must be at least 1, got 0"),
        ({"tracks": 3, "rungs": 3}, "3 rungs are too many for a length of 3"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
        ({"jobs": 0}, "jobs must be at least 1, got 0"),
    ],
)
def test_bad_options(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, int], message: str
) -> None:
    with pytest.raises(SystemExit) as end:
        main(Options(folder=tmp_path / "new", **change))
    out, err = capsys.readouterr()
    assert (end.value.code, out, err) == (2, "", f"error: {message}\n")
    assert not list(tmp_path.iterdir())
