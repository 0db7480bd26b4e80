"""A disk that is really full: a small file system of its own, filled to the last byte."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from evaluation.scores import write_episodes
from racing.episode import Episode
from reports.video import video
from system.files import write_whole
from tests.support.command_line import arguments, finish, start
from tests.support.corridor import ddqn, drive_there
from tests.support.fake_experience import as_trajectory, frame_store, part, play
from tests.support.outcome import checkpoints as checkpoints_of
from training.runs.checkpoint import Checkpoints
from training.tracking.csv_log import Table
from training.tracking.tensorboard import TensorBoardLog

Resize = Callable[[int], None]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[tuple[Path, Resize]]:
    """A file system, and what changes its size in KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("this system does not let us mount a file system")

    def resize(kilobytes: int) -> None:
        options = f"remount,size={kilobytes}k"
        subprocess.run(["mount", "-o", options, str(folder)], check=True)

    yield folder, resize
    subprocess.run(["umount", str(folder)], check=True)


def fill(folder: Path, leave: int) -> None:
    """Leave so many bytes, up to a page."""
    stat = os.statvfs(folder)
    (folder / "filler").write_bytes(bytes(max(stat.f_bavail * stat.f_bsize - leave, 0)))


def names(folder: Path) -> set[str]:
    return {p.name for p in folder.rglob("*") if p.is_file() and p.name != "filler"}


def test_a_file_is_the_old_one(disk: tuple[Path, Resize]) -> None:
    folder, _ = disk
    path = folder / "best.safetensors"
    write_whole(path, b"old")
    fill(folder, leave=8192)
    episode = Episode(1, 2.5, 100, 3, 200, 0, "out")
    with pytest.raises(OSError, match=r"No space left on device: .*best\.safetensors"):
        write_whole(path, bytes(20_000))
    with pytest.raises(OSError, match=r"No space left on device: .*test\.csv"):
        write_episodes(folder / "test.csv", [episode] * 1000)
    assert path.read_bytes() == b"old"
    assert names(folder) == {"best.safetensors"}


def test_a_log_has_whole_rows(disk: tuple[Path, Resize]) -> None:
    folder, _ = disk
    table = Table(folder / "episodes.csv", ("decisions", "score"))
    fill(folder, leave=0)
    with pytest.raises(OSError, match=r"No space left on device: .*episodes\.csv"):
        for number in range(2000):
            table.add(number, 0.5)
    rows = (folder / "episodes.csv").read_text().splitlines()
    assert rows[1:] == [f"{n},0.5" for n in range(len(rows) - 1)]
    assert len(rows) > 100


def test_a_log_that_had_no_room_to_begin_begins_later(disk: tuple[Path, Resize]) -> None:
    folder, _ = disk
    fill(folder, leave=0)
    path = folder / "episodes.csv"
    with pytest.raises(OSError, match=r"No space left on device: .*episodes\.csv"):
        Table(path, ("decisions", "score"))
    (folder / "filler").unlink()
    for _ in range(2):
        Table(path, ("decisions", "score"))
    assert path.read_text() == "decisions,score\n"


def test_events_that_do_not_fit_are_one_error(disk: tuple[Path, Resize]) -> None:
    folder, _ = disk
    log = TensorBoardLog(folder)
    fill(folder, leave=4096)
    with pytest.raises(OSError, match=r"No space left on device: .*events"):
        for step in range(3000):
            log.scalars(step, {"a": 1.0})
            if step % 100 == 0:
                log.get_state()


@pytest.mark.parametrize("pictures", [1, 400])
def test_a_film_is_whole_or_not_there(disk: tuple[Path, Resize], pictures: int) -> None:
    folder, resize = disk
    resize(400)
    noise = np.random.default_rng(0).integers(256, size=(64, 64, 3), dtype=np.uint8)
    with video(folder / "old.mp4", (64, 64), 10.0) as show:
        show(noise)
    before = (folder / "old.mp4").read_bytes()
    fill(folder, leave=0 if pictures == 1 else 16384)
    with (
        pytest.raises(OSError, match=r"old\.mp4"),
        video(folder / "old.mp4", (64, 64), 10.0) as show,
    ):
        for i in range(pictures):
            show(np.roll(noise, 7 * i, axis=1))
    assert names(folder) == {"old.mp4"}
    assert (folder / "old.mp4").read_bytes() == before


@pytest.mark.parametrize("leave", range(0, 44_000, 4096))
def test_a_checkpoint_is_whole_or_not_there(disk: tuple[Path, Resize], leave: int) -> None:
    """However little room there is: the replay, the arrays, the state or the manifest does not fit."""
    folder, resize = disk
    resize(200)
    trajectory = as_trajectory(play([[(40, True)]], 100), 100)
    checkpoints, store = Checkpoints(folder / "checkpoints"), frame_store(60)
    store.extend(part(trajectory, 0, 20))
    checkpoints.save(20, {"decisions": 20}, {"w": np.zeros(10)}, store)
    before = {p: p.read_bytes() for p in (folder / "checkpoints").rglob("*") if p.is_file()}
    fill(folder, leave)
    store.extend(part(trajectory, 20, 60))
    state, arrays = {"log": "x" * 9000}, {"w": np.ones(1500)}
    try:
        checkpoints.save(60, state, arrays, store)
    except OSError as e:
        assert "No space left on device" in str(e)
        after = {p: p.read_bytes() for p in (folder / "checkpoints").rglob("*") if p.is_file()}
        assert after == before
        assert leave < 40_000
    else:
        assert leave > 24_000
    (folder / "filler").unlink()
    checkpoints.load(checkpoints.steps()[-1], frame_store(60))
    checkpoints.save(61, state, arrays, store)
    checkpoints.load(61, frame_store(60))


@pytest.mark.slow
def test_a_training_stops_and_goes_on_when_there_is_room(disk: tuple[Path, Resize]) -> None:
    """Little by little more room, so that it stops in another place each time."""
    folder, resize = disk
    settings = ddqn(folder, decisions=960, validate_every=300, checkpoint_every=480)
    stops, run = [], None
    for kilobytes in (60, 300, 700, 6000):
        resize(kilobytes)
        run = next(folder.glob("DDQN/*"), None)
        try:
            run = drive_there(settings, run=run).run
            break
        except OSError as e:
            assert "No space left on device" in str(e), e
            stops.append(Path(e.filename).suffix)
        assert not [n for n in names(folder) if ".part" in n]
    assert len(stops) > 1
    assert run and checkpoints_of(run)[-1] == 960
    rows = (run / "episodes.csv").read_text().splitlines()
    assert all(row.count(",") == rows[0].count(",") for row in rows)


@pytest.mark.slow
def test_the_script_says_it_in_one_line(disk: tuple[Path, Resize]) -> None:
    """There is no room for a row; or some, for a while."""
    folder, resize = disk
    for kilobytes, name in ((8, "nothing"), (150, "full")):
        resize(kilobytes)
        process = start("DDQN", *arguments(runs=str(folder / "runs"), name=name, decisions=1024))
        out, err = process.communicate(timeout=900)
        assert process.returncode == 1, out + err
        assert err.startswith("error: /") and err.count("\n") == 1, err
        assert err.endswith(": No space left on device\n")
        assert not [n for n in names(folder) if ".part" in n]
    resize(4000)
    run = folder / "runs" / "DDQN" / "full"
    finish(start("DDQN", "--resume", str(run), "--workers", "0"))
    before = names(folder)
    fill(folder, leave=0)
    to = ("--models", str(folder / "models"), "--results", str(folder / "results"))
    process = start("runs", "publish", str(run), "--episodes", "1", *to)
    _, err = process.communicate(timeout=900)
    assert (process.returncode, names(folder)) == (1, before), err
    assert err.splitlines()[-1] == (
        f"error: {folder / 'models/ddqn.safetensors'}: No space left on device"
    )
