"""`runs.py review`: of finished, stopped and damaged runs, and its page in a real browser."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import runs
from deploy.browser import Browser, missing
from racing.episode import Episode
from reports.curves import read_points
from reports.events import read_scalars
from reports.own_files import check_own_file
from reports.review import MARK, chosen, review
from reports.review_data import REST, minutes, read_review
from reports.review_figure import PANELS
from reports.review_page import facts
from tests.support.command_line import arguments, finish, start
from tests.support.corridor import StopAt, ddqn, dqn, drive_there
from tests.support.outcome import curve, events
from tests.support.page import opened
from training.runs.run_folder import RunFolder

pytestmark = pytest.mark.timeout(900)
MADE = {"review.png", "review.html"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that came to its end, and one that was stopped before its first validation."""
    folder = tmp_path_factory.mktemp("runs")
    drive_there(ddqn(folder, name="whole", decisions=960, validate_every=480))
    stop = StopAt(480)
    drive_there(dqn(folder, name="stopped"), stop=stop, sinks=[stop])
    return folder


@pytest.fixture
def run(folder: Path, tmp_path: Path) -> RunFolder:
    """A copy of the run that came to its end."""
    shutil.copytree(folder / "DDQN" / "whole", tmp_path / "DDQN" / "whole")
    return RunFolder(tmp_path / "DDQN" / "whole")


def ink(png: Path) -> float:
    """Share of a picture that is not white."""
    picture = np.asarray(Image.open(io.BytesIO(png.read_bytes())).convert("RGB"))
    return float((picture < 255).any(axis=2).mean())


@pytest.mark.slow
def test_curves_are_those_that_tensorboard_reads(run: RunFolder) -> None:
    found, wanted = read_scalars(run.path), events(run.path)
    assert {"learning/loss", "learning/q", "speed/updates_per_second"} <= set(found)
    for tag, points in found.items():
        assert [tuple(point) for point in points] == curve(wanted, tag), tag
    one = {tag for _, tag, value in wanted if isinstance(value, float)}
    assert set(found) == one


def test_curves_of_a_file_that_is_being_written(run: RunFolder) -> None:
    """What is whole is read; damage inside is said."""
    before = read_scalars(run.path)["training/score"]
    last = max(run.path.glob("events.*"), key=lambda p: p.name.rpartition(".")[2])
    data = last.read_bytes()
    last.write_bytes(data[:-5])
    after = read_scalars(run.path)["training/score"]
    assert 0 < len(after) <= len(before) and (after == before[: len(after)]).all()
    last.write_bytes(data[:12] + b"\xff" * (len(data) - 12))
    with pytest.raises(ValueError, match=f"{last.name}: damaged"):
        read_scalars(run.path)


@pytest.mark.slow
def test_a_finished_run(run: RunFolder) -> None:
    picture, page = review(run)
    assert {picture.name, page.name} == MADE
    points = read_points(run.path / "validation.csv")
    text, best = page.read_text(), points[points[:, 3].argmax()]
    assert f"{best[3]:.1f} ± " in text and f"after {best[1]:,.0f} decisions" in text
    assert "960 of 960" in text and "finished" in text
    assert text.count("data:image/svg+xml") == len(PANELS)
    assert text.count("<th>gamma</th><td>0.9</td>") == 1
    assert ink(picture) > 0.03
    for path in (picture, page):
        check_own_file(path, MARK)  # over its own it writes again


def test_the_times_add_up(run: RunFolder) -> None:
    found = read_review(run)
    taken = minutes(found)
    assert found.validation is not None
    clock = found.validation[-1, 2] / 60
    assert taken["driving and learning"] + taken[REST] == pytest.approx(clock)
    assert all(part > 0 for part in taken.values())


def test_a_run_without_a_validation(folder: Path, tmp_path: Path) -> None:
    run = RunFolder(folder / "DQN" / "stopped")
    before = {p.name for p in run.path.iterdir()}
    found = read_review(run)
    assert found.validation is None and found.training is not None
    said = facts(found)
    assert (said["state"], said["best validation"], said["test"]) == (
        "stopped",
        "none yet",
        "not driven",
    )
    _, page = review(run, tmp_path / "elsewhere")
    assert "validation.csv: no rows" in page.read_text()
    assert "test.csv: not there" in page.read_text()
    assert {p.name for p in page.parent.iterdir()} == MADE
    assert {p.name for p in run.path.iterdir()} == before, "the run itself is only read"


DAMAGE = [
    ("episodes.csv", b"", "episodes.csv: no rows"),
    ("episodes.csv", b"decisions,score\n1,high\n", "episodes.csv: not a learning curve"),
    ("validation.csv", b"\x00\xff\xfe", "validation.csv: not a CSV"),
    ("validation.csv", None, "validation.csv: not there"),
    ("test.csv", b"track,score\n1,2\n", "test.csv: the columns must be"),
    ("origin.json", b"{", "origin.json: missing or damaged"),
    ("status.json", None, "status.json: missing or damaged"),
]


def test_what_is_damaged_is_said_and_the_rest_is_shown(run: RunFolder) -> None:
    """One file at a time, then all of them: still there is a page."""
    whole = read_review(run)
    for name, content, said in DAMAGE:
        path = run.path / name
        before = path.read_bytes() if path.exists() else None
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_bytes(content)
        found = read_review(run)
        new = [p for p in found.problems if p not in whole.problems]
        assert [p.startswith(said) for p in new] == [True], (name, new)
        assert facts(found)["seed"] == "1"
        path.unlink(missing_ok=True)
        if before is not None:
            path.write_bytes(before)
    for name, content, _ in DAMAGE:
        (run.path / name).write_bytes(content or b"")
    for path in run.path.glob("events.*"):
        path.write_bytes(b"\0" * 20)
    _, page = review(run)
    text = page.read_text()
    assert text.count("data:image/svg+xml") == len(PANELS)
    assert "validation.csv: no rows" in text and "events.*: no curves of TensorBoard" in text


def test_bad_input_is_one_line(
    run: RunFolder, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def error_of(wanted: str, where: Path, out: Path | None = None) -> str:
        with pytest.raises(SystemExit) as end:
            runs.review(wanted, out=out, runs=str(where))
        assert end.value.code == 2
        [line] = capsys.readouterr().err.splitlines()
        return line

    assert "no run 'nobody'" in error_of("nobody", folder)
    assert "'o' could be" in error_of("o", folder)
    (run.path / "review.html").write_text("my own notes")
    assert "runs.py review did not make it" in error_of("whole", tmp_path)
    assert not (run.path / "review.png").exists()
    assert (run.path / "review.html").read_text() == "my own notes"
    assert "cannot write to" in error_of("whole", tmp_path, run.path / "config.json")
    (run.path / "config.json").write_text("{")
    assert "config.json: missing or damaged" in error_of("whole", tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_which_tracks_are_driven_again() -> None:
    def episode(track: int, score: float) -> Episode:
        return Episode(track, score, 1000, 1, 300, 0, "time")

    test = [episode(t, s) for t, s in ((0, 5.0), (1, -1.0), (2, 9.0), (3, 7.0), (4, 0.0))]
    assert {name: e.track for name, e in chosen(test).items()} == {
        "worst": 1,
        "median": 0,
        "best": 2,
    }
    assert list(chosen(test[:1])) == ["worst"]


@pytest.fixture(scope="module")
def reviewed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a run in the real world with a test drive, by the real command line."""
    folder = tmp_path_factory.mktemp("real")
    options = arguments(runs=str(folder), name="real", decisions=512, test_episodes=1)
    finish(start("DDQN", *options))
    said = finish(start("runs", "review", "real", "--runs", str(folder)))
    assert said.split() == [str(folder / "DDQN" / "real" / name) for name in sorted(MADE)[::-1]]
    return folder / "DDQN" / "real"


@pytest.fixture
def browser(reviewed: Path) -> Iterator[Browser]:
    """The page, which must not complain, nor ask for anything but itself."""
    address = (reviewed / "review.html").as_uri()
    with opened(address) as browser:
        yield browser
        asked = {url for url in browser.requests() if not url.startswith("data:")}
        assert asked == {address}


@pytest.mark.slow
@pytest.mark.skipif(bool(missing()), reason=missing() or "all is there")
def test_the_page_in_a_browser(browser: Browser) -> None:
    seen = (
        """return [...document.images].filter((i) => i.complete && i.naturalWidth > 100).length"""
    )
    assert browser.run(seen) == len(PANELS) + 1, "every panel, and the map of the one test track"
    assert browser.run("return document.querySelectorAll('img[alt=\"\"]').length") == 0
    for width in (1280, 390):
        browser.resize(width, 800)
        assert browser.run("return document.documentElement.scrollWidth") <= width
    assert "1 tracks, worst" in browser.run("return document.querySelector('table').innerText")
