"""A person's drive: the window on a virtual screen, real key events, and what is recorded of it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tyro

import human_control
from cockpit.dashboard import YELLOW
from evaluation.scores import read_episodes, write_episodes
from human_control import COUNTDOWN_SECONDS
from racing.episode import Episode, finished
from racing.spec import WorldSpec
from racing.world import World
from reports.recording import CHANNELS, read_recording
from tests.support.screen import (
    NO_SCREEN,
    Session,
    needs_a_screen,
    sessions,
    share,
    wait_for,
)

SCRIPT = Path(human_control.__file__)
FIRST, SECOND = 184, 185  # full gas straight ahead leaves the playfield within four seconds
SPEED, PEDAL = CHANNELS.index("speed"), CHANNELS.index("pedal")


def full_gas(track: int) -> Episode:
    """What comes of it, without a window."""
    world = World(WorldSpec(frame_skip=1, actions=""))
    world.reset(track)
    while not world.end_reason:
        world.step(np.array([0.0, 1.0, 0.0]), render=False)
    return finished(world, track)


@pytest.fixture
def session() -> Iterator[Callable[..., Session]]:
    with sessions(SCRIPT) as begin:
        yield begin


@needs_a_screen
@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_a_drive_by_keys_is_recorded_and_gone_on_with(
    tmp_path: Path, session: Callable[..., Session]
) -> None:
    csv = tmp_path / "human.csv"
    write_episodes(csv, [full_gas(FIRST)])  # of another day
    options = ("--tracks", f"{FIRST}:{SECOND + 2}", "--csv", str(csv))
    drive = session(*options, "--ghost", "pid")
    drive.press("keydown", "Up")  # during the countdown: held from the first frame on
    wait_for(lambda: len(read_episodes(csv)) == 2)
    drive.press("keyup", "Up")
    drive.press("key", "Return")  # on with the third track, which is not finished
    time.sleep(1)
    drive.press("key", "r")
    time.sleep(1)
    assert drive.end().startswith("human: 2 episodes, mean")
    assert read_episodes(csv) == [full_gas(FIRST), full_gas(SECOND)]
    recorded = read_recording(human_control.recordings(csv), SECOND)
    assert recorded.episode == full_gas(SECOND)
    assert recorded.samples[-100:, SPEED].mean() > 50 and (recorded.samples[5:, PEDAL] > 0.4).all()
    done = run("--tracks", f"{FIRST}:{SECOND + 1}", "--csv", str(csv))
    assert (done.returncode, done.stdout.count("\n")) == (0, 1), (
        "all is driven: no screen is needed"
    )


@needs_a_screen
@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_what_is_on_the_screen(tmp_path: Path, session: Callable[..., Session]) -> None:
    drive = session("--csv", str(tmp_path / "human.csv"))
    assert share(drive.screen(), YELLOW) > 0, "the countdown"
    assert not drive.screen()[:, 1350:].any()
    drive.press("key", "v")
    wait_for(
        lambda: bool(drive.screen()[300:500, 1200:1500].any())
    )  # the agents' view, beside the road
    greys = drive.screen()[300:500, 1200:1500]
    assert (greys[..., 0] == greys[..., 2]).all()
    assert len(np.unique(greys)) > 10
    assert drive.end() == ""
    assert list(tmp_path.iterdir()) == []


@needs_a_screen
@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_without_a_key_nothing_runs_and_nothing_is_recorded(
    tmp_path: Path, session: Callable[..., Session]
) -> None:
    """Longer than the countdown; nothing moves, the clock neither, until the first key to drive with."""
    csv = tmp_path / "human.csv"
    drive = session("--tracks", f"{SECOND}:{SECOND + 1}", "--csv", str(csv))
    drive.press("key", "v")  # not a key to drive with
    time.sleep(COUNTDOWN_SECONDS + 4)
    still = drive.screen()[:, :1000]
    time.sleep(2)
    assert (drive.screen()[:, :1000] == still).all()
    assert list(tmp_path.iterdir()) == []
    drive.press("keydown", "Up")
    wait_for(csv.exists)
    drive.press("keyup", "Up")
    drive.end()
    assert read_episodes(csv) == [full_gas(SECOND)]


def run(*options: str) -> subprocess.CompletedProcess[str]:
    """The script where there is no screen."""
    command = [sys.executable, str(SCRIPT), *options]
    return subprocess.run(command, capture_output=True, text=True, env=NO_SCREEN)


def test_bad_input_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    csv, foreign, half = (tmp_path / f"{name}.csv" for name in ("human", "foreign", "half"))
    write_episodes(csv, [full_gas(FIRST)])
    foreign.write_text("name,points\nme,12\n")
    half.write_text(csv.read_text() + "185,12.5,100\n")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}

    def refusal(*options: str) -> str:
        with pytest.raises(SystemExit) as end:
            human_control.main(tyro.cli(human_control.Options, args=options))
        out, err = capsys.readouterr()
        assert (end.value.code, out) == (2, "")
        assert err.startswith("error: ")
        assert err.count("\n") == 1, err
        return err

    at = ("--csv", str(csv))
    assert "there is no screen" in (line := refusal(*at))
    assert "--virtual-display" in line
    assert "the columns must be" in refusal("--csv", str(foreign))
    assert "half.csv:3: not an episode" in refusal("--csv", str(half))
    assert "episodes must be" in refusal(*at, "--episodes", "0")
    assert "'nobody'" in refusal(*at, "--ghost", "nobody")
    assert "cannot write" in refusal("--csv", "/proc/human.csv")
    assert "cannot write" in refusal("--csv", str(tmp_path))
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
