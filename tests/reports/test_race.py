"""Races: what is refused before anybody drives, and what is in the page."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
import tyro

import evaluate as evaluate_script
from evaluation.drivers import load_driver
from racing.episode import Episode
from reports.race import entries, record, write_page
from reports.recording import CHANNELS, Recording, write_recording
from tests.support.command_line import ROOT, files_below

MODEL = str(ROOT / "models" / "ddqn.safetensors")


def still(track: int, frames: int = 1000) -> Recording:
    """A car that stays at the start."""
    samples = np.zeros((frames + 1, len(CHANNELS)))
    samples[:, CHANNELS.index("tiles")] = 3
    return Recording(
        "person", Episode(track, 10 - 0.1 * frames, frames, 3, 300, 0, "time"), samples
    )


def refusal(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    """The line that the script ends with; before it, it may say that it loads the drivers."""
    with pytest.raises(SystemExit) as end:
        evaluate_script.main(tyro.cli(evaluate_script.Options, args=options))
    out, err = capsys.readouterr()
    assert (end.value.code, out) == (2, "")
    [line] = [x for x in err.splitlines() if x != "getting the drivers ready"]
    assert line.startswith("error: ")
    return line


def test_a_race_that_cannot_be_is_refused_before_anybody_drives(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluate_script, "load_driver", None)
    page, human = str(tmp_path / "race.html"), tmp_path / "human"
    write_recording(human, still(1))
    (human / "track-2.json").write_text("{}")
    others = [tmp_path / f"{i}.safetensors" for i in range(8)]
    for path in others:
        path.write_bytes(b"weights")
    link = tmp_path / "link.safetensors"
    link.symlink_to(others[0])
    before = files_below(tmp_path)
    cases = [
        (["pid", "--race", str(tmp_path / "race.htm")], "ends in .html"),
        (["pid", "--race", str(tmp_path / "nowhere" / "race.html")], "cannot write"),
        (["pid", "--race", "/proc/race.html"], "cannot write"),
        (["--race", page], "at least one driver"),
        (["nobody", "--race", page], "'nobody'"),
        (["pid", "pid", "--race", page], "pid is given twice"),
        ([str(others[0]), str(link), "--race", page], "is given twice"),
        (["pid", *map(str, others), "--race", page], "at most 8 drivers"),
        (["pid", "--race", page, "--episodes", "13"], "at most 12 tracks"),
        (["pid", "--race", page, "--episodes", "0"], "episodes must be"),
        (["pid", str(human), "--race", page], "no recording of track 0"),
        ([str(human), "--tracks", "2:3", "--race", page], "track-2.json: not a recording"),
        (["pid", str(others[0]), "--race", page], "0.safetensors: "),
        (["pid", "--race", page, "--csv", str(tmp_path / "a.csv")], "--race takes no"),
        (["pid", "--race", page, "--table"], "--race takes no"),
        ([str(human)], "no driver"),
    ]
    for options, named in cases:
        assert named in refusal(capsys, *options)
    assert files_below(tmp_path) == before


def test_drivers_of_one_name_are_told_apart() -> None:
    names = ["pid", "models/ddqn.safetensors", "runs/a/best.safetensors", "runs/b/best.safetensors"]
    titles = [(e.title, e.short) for e in entries(names)]
    assert titles[:2] == [("PID controller", "PID"), ("Prioritised Double DQN", "DDQN")]
    assert titles[2:] == [("a/best", "a/best"), ("b/best", "b/best")]
    assert len({e.title for e in entries(["x/pid.safetensors", "pid", "x/pid", "b"])}) == 4


def test_a_page_is_small_and_needs_no_other_file(tmp_path: Path) -> None:
    """Four drivers who use all of their time, on three tracks."""
    page, tracks = tmp_path / "race.html", range(3)
    [recording] = record(load_driver("random"), [16], "fast")
    longest = still(0)
    driven = np.resize(recording.samples, longest.samples.shape)
    drives = [
        [dataclasses.replace(still(track), samples=driven) for track in tracks] for _ in range(4)
    ]
    names = ["pid", "random", "</script><b>.safetensors", MODEL]
    write_page(page, names, drives, "fast")
    html = page.read_text(encoding="utf-8")
    assert 100_000 < len(html.encode()) < 250_000
    assert "</script><b>" not in html
    assert not re.findall(r"""(?:src|href)=["'](?!data:)|https?://|@import|url\(""", html)
    assert list(tmp_path.iterdir()) == [page]
    write_page(page, names, drives, "fast")
    assert page.read_text(encoding="utf-8") == html, "the same race, the same file"
