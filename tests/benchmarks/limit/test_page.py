"""The share of the limit, and that the page says what the results say."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.limit.page import car_table
from racing.episode import Episode
from reports.limit import COLUMNS, limit_on, limit_table, read_limit, share_of_limit
from reports.report import with_block

ROOT = Path(__file__).parents[3]
RESULTS = ROOT / "results" / "limit.csv"
ROWS = [
    dict(zip(COLUMNS, map(str, values), strict=True))
    for values in (
        (7, 300, 600, 940.0, 640, 936.0, 1, 30),
        (8, 280, 500, 950.0, 560, 944.0, 1, 30),
    )
]


def lap(track: int, frames: int) -> Episode:
    return Episode(track, 1000 - 0.1 * frames, frames, 300, 300, 1, "lap")


def test_between_laps_the_share_is_the_ratio_of_the_frames() -> None:
    assert share_of_limit(ROWS, [lap(7, 800), lap(8, 700)]) == pytest.approx(1100 / 1500)
    assert share_of_limit(ROWS, [lap(8, 500)]) == pytest.approx(1.0)


def test_missed_tiles_count_as_the_frames_that_they_are_worth() -> None:
    no_lap = Episode(7, 1000 * 290 / 300 - 100, 1000, 290, 300, 0, "time")
    share = share_of_limit(ROWS, [no_lap])
    assert share == pytest.approx((1000 - 940) / (100 + 1000 / 30))


def test_what_was_not_measured_has_no_share() -> None:
    assert share_of_limit(ROWS, [lap(7, 700), lap(9, 700)]) is None
    assert share_of_limit(ROWS, []) is None
    limit = limit_on(ROWS, [7, 8])
    assert limit is not None
    assert (limit.bound, limit.oracle, limit.oracle_laps, limit.bound_frames) == (945, 940, 2, 550)


@pytest.mark.parametrize(
    "text",
    [
        "track,score\n1,2\n",
        ",".join(COLUMNS) + "\n",
        ",".join(COLUMNS) + "\n7,300,600,940.0,640,936.0,1\n",
        ",".join(COLUMNS) + "\n7,300,600,nan,640,936.0,1,30\n",
        ",".join(COLUMNS)
        + "\n7,300,600,940.0,640,936.0,1,30\n" * 1
        + "7,300,600,940,640,936,1,30\n",
    ],
    ids=["columns", "no-rows", "short", "not-finite", "twice"],
)
def test_another_file_is_refused_by_name(text: str, tmp_path: Path) -> None:
    path = tmp_path / "limit.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"limit\.csv"):
        read_limit(path)


def test_the_page_says_what_the_results_say() -> None:
    page = (ROOT / "docs" / "limit.md").read_text()
    table = limit_table(read_limit(RESULTS), ROOT / "results" / "scores")
    assert with_block(page, "limit", table) == page
    assert with_block(page, "car", car_table(ROOT / "results" / "car_limits.csv")) == page


def test_no_lap_of_the_oracle_is_faster_than_the_bound() -> None:
    for row in read_limit(RESULTS):
        assert int(row["oracle_frames"]) >= int(row["bound_frames"]), row
        assert float(row["bound_score"]) == pytest.approx(1000 - 0.1 * int(row["bound_frames"]))
        if row["oracle_laps"] == "1":
            driven = 1000 - 0.1 * int(row["oracle_frames"])
            assert float(row["oracle_score"]) == pytest.approx(driven, abs=0.06)
