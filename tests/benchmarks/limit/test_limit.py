"""The oracle completes a real lap, slower than the bound; the command keeps what it has and refuses bad input."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.limit.bound import bound, frames_of
from benchmarks.limit.limit import Options, main
from benchmarks.limit.oracle import Plan, Style, follow
from benchmarks.limit.picture import bends, crossings, lost_frames
from benchmarks.limit.road import road_of
from benchmarks.limit.search import practise
from racing.simulator import Simulator
from reports.limit import COLUMNS

TRACK = 18_003  # of those on which the oracle was developed


@pytest.mark.slow
def test_the_oracle_touches_every_tile_and_never_beats_the_bound() -> None:
    simulator = Simulator()
    simulator.start(TRACK)
    road = road_of(simulator)
    best = bound(road)
    found = practise(simulator, TRACK, road, 3, best)
    drive = found.drive
    assert drive.lap
    assert drive.tiles == road.tiles
    assert drive.score == pytest.approx(1000 - 0.1 * drive.frames)
    assert frames_of(best.seconds) < drive.frames < 640

    # The same line with the same style is the same lap; and where its frames are lost adds up.
    again = follow(simulator, TRACK, Plan(found.line), Style())
    assert again.frames == drive.frames
    apexes = bends(road)
    lost = lost_frames(best, crossings(road, drive.moments[:, :2]), apexes)
    assert 5 <= len(apexes) == len(lost) <= 40
    assert lost.sum() == pytest.approx(drive.frames - best.seconds * 50, abs=4)

    # Who steers against nothing is lost, and says so.
    lost_car = follow(simulator, TRACK, Plan(found.line), replace(Style(), askew=0.0, beside=0.0))
    assert not lost_car.lap
    assert np.isfinite(lost_car.moments).all()


def error_of(options: Options, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as stopped:
        main(options)
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1
    return error


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (Options(), "--page"),
        (Options(tracks=("5:3",)), "5:3"),
        (Options(tracks=("0:2",), laps=0), "laps"),
        (Options(tracks=("0:2",), csv=Path("no/such/folder/limit.csv")), "no/such/folder"),
        (Options(picture=-1), "-1"),
        (Options(picture=3, weights=Path("none.safetensors")), "none.safetensors"),
    ],
    ids=["nothing", "tracks", "laps", "csv", "picture", "weights"],
)
def test_what_cannot_be_is_refused_in_one_line(
    options: Options, names: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert names in error_of(options, capsys)


def test_what_is_measured_is_not_measured_again(tmp_path: Path) -> None:
    path = tmp_path / "limit.csv"
    text = ",".join(COLUMNS) + "\n7,300,600,940.0,640,936.0,1,30\n"
    path.write_text(text)
    main(Options(tracks=("7:8",), csv=path))
    assert path.read_text() == text


def test_a_file_that_is_something_else_is_not_written_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "limit.csv"
    path.write_text("track,score\n7,900\n")
    assert "limit.csv" in error_of(Options(tracks=("7:8",), csv=path), capsys)
    assert path.read_text() == "track,score\n7,900\n"
