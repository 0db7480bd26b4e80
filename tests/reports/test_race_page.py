"""A race's page in a real browser: it plays, says who is ahead, and asks nobody for anything."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from deploy.browser import Browser, missing
from evaluation.drivers import load_driver
from evaluation.evaluation import evaluate
from racing.episode import finished
from racing.spec import WorldSpec
from racing.world import World
from reports.colours import DRIVERS
from reports.race import record
from reports.recording import (
    CHANNELS,
    Recorder,
    Recording,
    read_recording,
    write_recording,
)
from tests.support.command_line import start
from tests.support.driving import LAP_TRACK, pursue
from tests.support.page import opened

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(bool(missing()), reason=missing() or "all is there"),
]
TRACKS = (LAP_TRACK, LAP_TRACK + 1)
FRONT = CHANNELS.index("front")
STANDINGS = """return Object.fromEntries([...document.querySelectorAll("#standings li")]
    .map((li) => [li.dataset.title, {...li.dataset, gap: li.querySelector(".gap").textContent}]))"""


def person(track: int) -> Recording:
    """As `human_control.py` records one, who knows the road."""
    world, recorder = World(WorldSpec(frame_skip=1, actions="")), Recorder()
    world.reset(track, render=False)
    while not world.end_reason:
        world.step(pursue(world.simulator), render=False)
        recorder.note(world.simulator)
    return recorder.end("person", finished(world, track))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A race by the real command line, one of three a recording."""
    folder = tmp_path_factory.mktemp("race")
    for track in TRACKS:
        write_recording(folder / "human", person(track))
    drivers = ("pid", "random", str(folder / "human"))
    given = ("--tracks", f"{TRACKS[0]}:{TRACKS[-1] + 1}", "--camera", "fast")
    process = start("evaluate", *drivers, *given, "--race", str(folder / "race.html"))
    out, err = process.communicate(timeout=500)
    assert process.returncode == 0, err
    assert out.splitlines()[-1] == str(folder / "race.html")
    assert "getting the drivers ready" in err, "it is said before it takes long"
    return folder


@pytest.fixture
def browser(folder: Path) -> Iterator[Browser]:
    """The page, which must not complain, nor ask for anything but itself."""
    address = (folder / "race.html").as_uri()
    with opened(address) as browser:
        yield browser
        assert {url.partition("#")[0] for url in browser.requests()} <= {address, "data:,"}


def go(browser: Browser, where: str) -> dict[str, Any]:
    """The standings at a place in the page's address."""
    browser.run("location.hash = arguments[0]", where)
    time = where.partition("time=")[2].partition("&")[0]
    browser.wait_for(f"return document.querySelector('#clock').textContent === '{time} s'")
    standings: dict[str, Any] = browser.run(STANDINGS)
    return standings


def colours(browser: Browser) -> set[tuple[int, ...]]:
    """Of what is seen."""
    picture = Image.open(io.BytesIO(browser.picture())).convert("RGB")
    counted = picture.getcolors(1 << 24)
    assert counted
    return {colour for count, colour in counted if count > 30 and isinstance(colour, tuple)}


def test_it_plays_and_pauses_by_itself_by_mouse_and_by_key(browser: Browser) -> None:
    time = "return Number(document.querySelector('#time').value)"
    browser.wait_for(f"{time.replace('return', 'return 20 <')}", 20)  # by itself
    browser.click("#play")
    stood = browser.run(time)
    browser.wait_for("return document.querySelector('#play').ariaLabel === 'Play'")
    assert browser.run(time) == stood
    browser.click("h1")
    browser.run("document.activeElement.blur()")
    browser.press(" ")
    browser.wait_for(f"{time} > {stood} + 20")
    browser.press(".")
    stood = browser.run(time)
    browser.press(".", ".", ".", ",")
    browser.wait_for(f"{time} === {stood} + 2")
    browser.press("\ue011")  # Home
    browser.wait_for(f"{time} === 0")
    browser.press("2")
    browser.wait_for("""return document.querySelector('[aria-pressed="true"]')""")
    assert browser.run("return document.querySelector('#camera').selectedOptions[0].text") == (
        "Random, the agents' actions"
    )
    browser.press("t")
    browser.wait_for(f"return document.querySelector('#track').value === '{TRACKS[1]}'")


@pytest.fixture(scope="module")
def driven(folder: Path) -> dict[str, list[Recording]]:
    """The same drives, without the page."""
    named = {"PID controller": "pid", "Random, the agents' actions": "random"}
    found = {title: record(load_driver(name), TRACKS, "fast") for title, name in named.items()}
    return found | {"Human": [read_recording(folder / "human", track) for track in TRACKS]}


def tiles_at(recording: Recording, frame: int) -> float:
    """How far along the road; whoever has finished is farther than all others, the first one farthest."""
    frames = recording.episode.frames
    if frame >= frames and recording.episode.laps:
        return 1e6 - frames
    return float(recording.samples[min(frame, frames), FRONT])


@pytest.mark.parametrize("at", range(len(TRACKS)))
def test_the_leader_is_right(browser: Browser, driven: dict[str, list[Recording]], at: int) -> None:
    recordings = {who: drives[at] for who, drives in driven.items()}
    places, gaps = 0, 0
    for frame in range(50, 1000, 90):
        rows = go(browser, f"track={TRACKS[at]}&time={frame / 50:.2f}")
        lead = browser.run("return document.querySelector('#lead').textContent")
        tiles = {who: tiles_at(recording, frame) for who, recording in recordings.items()}
        first = min(rows, key=lambda who: int(rows[who]["place"]))
        assert tiles[first] >= max(tiles.values()) - 1, (frame, tiles, rows)  # between two tiles
        for who, row in rows.items():
            if tiles[first] - tiles[who] > 2:
                assert row["place"] != "1"
                places += 1
            if row["gap"].startswith("+") and who != first and tiles[first] < 1e5:
                passed = np.argmax(recordings[first].samples[:, FRONT] >= tiles[who])
                assert float(row["gap"][1:-2]) == pytest.approx((frame - passed) / 50, abs=0.15)
                assert row["gap"][1:] in lead or row["place"] == "3"
                gaps += 1
    assert places > 8 and gaps > 8


def test_the_final_scores_are_the_measured_ones(
    browser: Browser, driven: dict[str, list[Recording]]
) -> None:
    for at, track in enumerate(TRACKS):
        measured = {
            "PID controller": evaluate("pid", [track], "fast", 1)[0].score,
            "Random, the agents' actions": evaluate("random", [track], "fast", 1)[0].score,
            "Human": driven["Human"][at].episode.score,
        }
        end = max(drives[at].episode.frames for drives in driven.values()) / 50
        rows = go(browser, f"track={track}&time={end:.2f}")
        assert {who: float(row["score"]) for who, row in rows.items()} == measured
        assert {row["ended"] for row in rows.values()} == {"true"}
        finished_in = {w: d[at].episode.frames for w, d in driven.items() if d[at].episode.laps}
        assert len(finished_in) == 2
        order = sorted(finished_in, key=lambda who: finished_in[who])
        assert [rows[who]["place"] for who in order] == ["1", "2"]
        winner = f"wins in {finished_in[order[0]] / 50:.2f} s"
        assert winner in browser.run("return document.querySelector('#lead').textContent")
        browser.press("\ue011", "\ue010")  # Home, End: there by key too
        browser.wait_for(f"return document.querySelector('#clock').textContent === '{end:.2f} s'")


def test_it_is_seen_on_a_desk_and_on_a_phone_in_light_and_in_dark(browser: Browser) -> None:
    cars = {tuple(round(255 * c) for c in to_rgb(DRIVERS[d])) for d in ("pid", "human", "random")}
    for width, height in ((1280, 900), (390, 844), (320, 640)):
        browser.resize(width, height)
        for theme, least, most in (("light", 200, 255), ("dark", 0, 40)):
            go(browser, f"track={TRACKS[0]}&time=1.00&theme={theme}")
            assert browser.run("return document.documentElement.scrollWidth") <= width
            page = browser.run("return getComputedStyle(document.body).backgroundColor")
            grey = int(page.removeprefix("rgb(").partition(",")[0])
            assert least <= grey <= most
            assert cars <= colours(browser), (width, theme)


def test_every_control_has_a_name_and_is_reached_by_tab(browser: Browser) -> None:
    wanted = browser.run("return document.querySelectorAll('button, select, input').length")
    assert wanted == 6 + 3
    nameless = """return [...document.querySelectorAll("button, select, input")]
        .filter((e) => !(e.ariaLabel || e.labels?.length || e.textContent.trim())).map((e) => e.outerHTML)"""
    assert browser.run(nameless) == []
    browser.run("document.body.focus()")
    reached = set()
    for _ in range(wanted):
        browser.press("\ue004")  # Tab
        tag = "const e = document.activeElement; return e.id || e.textContent"
        reached.add(browser.run(tag))
        style = "return getComputedStyle(document.activeElement).outlineStyle"
        assert browser.run(style) == "solid", "where one is can be seen"
    assert len(reached) == wanted


def test_who_wants_no_motion_starts_the_race_himself(folder: Path) -> None:
    with Browser() as browser:
        browser.prefer(reduced_motion="reduce")
        browser.open((folder / "race.html").as_uri())
        browser.wait_for("return document.querySelector('#lead').textContent")
        assert browser.run("return document.querySelector('#play').ariaLabel") == "Play"
