"""Runs that are mirrored while they train."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deploy.s3_server import S3Server
from tests.support.corridor import MessageRecorder, StopAt, ddqn, drive_there
from tests.support.outcome import checkpoints, outcome
from tests.support.s3 import bring, content, whole_checkpoints
from tests.training.mirror.conftest import SHORT
from training.mirror import lease, mirror_log
from training.mirror.errors import MirrorError
from training.mirror.lease import Lease
from training.mirror.store import Store
from training.stop import Stop
from training.tracking.run_log import Progress, Sink

pytestmark = pytest.mark.slow

SERVER = pytest.mark.parametrize("place", ["s3"], indirect=True)
FOLDER = pytest.mark.parametrize("place", ["file"], indirect=True)


class Watch(Sink):
    """Does something after every checkpoint, and keeps what it was told."""

    def __init__(self, act: Callable[[int], None] = lambda _: None) -> None:
        self.act, self.ends, self.lines = act, list[bool](), list[str]()

    def checkpoint(self, decisions: int, seconds: float) -> None:
        self.act(decisions)

    def mirrored(self, whole: bool) -> None:
        self.ends.append(whole)

    def notify(self, text: str) -> None:
        self.lines.append(text)


def wait_for_copy(place: str) -> Callable[[int], None]:
    """Trainings here are faster than any server: wait until a checkpoint is there."""

    def wait(decisions: int) -> None:
        end = time.monotonic() + 30
        path = f"DDQN/race/checkpoints/{decisions:09d}/manifest.json"
        while Store(place).size(path) is None:
            assert time.monotonic() < end
            time.sleep(0.02)
        whole_checkpoints(place)

    return wait


def test_it_learns_the_same_and_the_mirror_has_it(
    place: str, tmp_path: Path, undisturbed: Path
) -> None:
    """After each checkpoint what is there is whole; in the end it is what the folder has."""
    watch = Watch(wait_for_copy(place))
    settings = ddqn(tmp_path / "runs", mirror_to=place, **SHORT)
    run = drive_there(settings, sinks=[watch]).run
    assert outcome(run) == outcome(undisturbed)
    assert whole_checkpoints(place) == checkpoints(run) and len(checkpoints(run)) == 2
    there = content(place)
    ours = {
        f"DDQN/race/{p.relative_to(run)}": p.read_bytes()
        for p in run.rglob("*")
        if p.is_file() and not any(part.startswith(".") for part in p.relative_to(run).parts)
    }
    assert there.pop("DDQN/race/lease.json") and there == ours
    assert json.loads(there["DDQN/race/status.json"])["state"] == "finished"
    assert watch.ends and all(watch.ends) and not [x for x in watch.lines if "mirror:" in x]
    assert not list((run / ".mirror").glob("staged-*"))
    Lease(Store(place), "DDQN/race").check_not_held()  # it was released


@SERVER
def test_a_resumed_run_goes_on_in_its_mirror(place: str, tmp_path: Path) -> None:
    stop = StopAt(700)
    settings = ddqn(tmp_path, mirror_to=place, **SHORT)
    run = drive_there(settings, sinks=[stop], stop=stop).run
    assert whole_checkpoints(place) == checkpoints(run)
    left = run / ".mirror" / "staged-000000240-x"
    left.mkdir()
    drive_there(settings, run=run)
    assert whole_checkpoints(place) == checkpoints(run) and checkpoints(run)[-1] == 1440
    assert not left.exists()


@FOLDER
def test_another_run_of_that_name_is_refused_and_nothing_written(
    place: str, tmp_path: Path, stopped: Path, undisturbed: Path
) -> None:
    bring(stopped, place)
    before = content(place)
    with pytest.raises(MirrorError, match="DDQN/race exists: choose another --name, or --resume"):
        drive_there(ddqn(tmp_path / "b", mirror_to=place, **SHORT))
    other = drive_there(ddqn(tmp_path / "c", seed=9, **SHORT | {"decisions": 240})).run
    with pytest.raises(MirrorError, match="is a different run from"):
        drive_there(ddqn(tmp_path / "c", seed=9, mirror_to=place, **SHORT), run=other)
    behind = tmp_path / "d/DDQN/race"
    shutil.copytree(undisturbed, behind)
    for step in checkpoints(behind):
        (behind / f"checkpoints/{step:09d}").rename(behind / f"checkpoints/{step - 1000:09d}")
    with pytest.raises(MirrorError, match=r"has 720 decisions, .* has 440: move that away"):
        drive_there(ddqn(tmp_path / "d", mirror_to=place, **SHORT), run=behind)
    assert not (tmp_path / "b").exists() and not (other / ".mirror").exists()
    assert content(place) == before


def test_a_second_trainer_is_refused_and_nothing_written(place: str, tmp_path: Path) -> None:
    Lease(Store(place), "DDQN/race", "somebody").take()
    before = content(place)
    with pytest.raises(MirrorError, match="is being trained by process"):
        drive_there(ddqn(tmp_path / "b", mirror_to=place, **SHORT))
    assert not (tmp_path / "b").exists() and content(place) == before


@SERVER
def test_who_loses_the_lease_stops_with_a_checkpoint(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "RENEW_SECONDS", 0.1)

    def steal(decisions: int) -> None:
        if decisions == 480:
            monkeypatch.setattr(lease, "EXPIRES_SECONDS", -1.0)
            Lease(Store(place), "DDQN/race", "thief").take()
            time.sleep(0.5)

    watch = Watch(steal)
    stop = Stop()
    settings = ddqn(tmp_path, mirror_to=place, **SHORT)
    done = drive_there(settings, sinks=[watch], stop=stop)
    assert not done.finished and 480 <= done.decisions < 720
    assert checkpoints(done.run)[-1] == done.decisions
    [line] = [x for x in watch.lines if "was taken over by" in x]
    assert "this run stops" in line
    found = Store(place).read("DDQN/race/lease.json")
    assert found and json.loads(found.data)["holder"] == "thief"
    assert max(whole_checkpoints(place), default=0) <= 480


def test_a_server_that_dies_is_one_line_and_no_end(s3: S3Server, tmp_path: Path) -> None:
    """And another line when it is up to date again."""
    place = f"{s3.url}/{tmp_path.name}"

    class Faults(Watch):
        def progress(self, progress: Progress) -> None:
            if progress.phase == "training" and progress.done == 288:
                s3.kill()
            if progress.phase == "training" and progress.done == 960:
                time.sleep(4)  # a server that is away is asked three times
            if False in self.ends and s3.process is None:
                s3.start()

    watch = Faults()
    run = drive_there(ddqn(tmp_path / "runs", mirror_to=place, **SHORT), sinks=[watch]).run
    lines = [x for x in watch.lines if x.startswith("mirror: ")]
    assert len(lines) == 2, lines
    # The reason depends on what a request was about when the server died.
    assert re.search("(nothing listens there|no connection|was closed); training goes on", lines[0])
    assert lines[1].endswith("is up to date again")
    assert whole_checkpoints(place) == checkpoints(run)


def test_a_server_that_hangs_does_not_slow_training(
    s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does it hold the end of the run for longer than was said; `runs.py mirror` does it again."""
    monkeypatch.setattr(mirror_log, "PATIENCE_SECONDS", 5.0)
    monkeypatch.setattr(mirror_log, "QUIET_SECONDS", 0.1)
    place = f"{s3.url}/{tmp_path.name}"
    times: list[float] = []

    class Hang(Watch):
        def progress(self, progress: Progress) -> None:
            if progress.phase == "training" and progress.done >= 480:  # after it was compiled
                times.append(time.monotonic())
            if progress.phase == "training" and progress.done == 288:
                s3.hang()

    watch = Hang()
    try:
        done = drive_there(ddqn(tmp_path / "runs", mirror_to=place, **SHORT), sinks=[watch])
        ended = time.monotonic()
    finally:
        s3.go_on()
    assert done.finished and max(b - a for a, b in itertools.pairwise(times)) < 3
    assert ended - times[-1] < 40  # with a validation, on a busy machine
    assert any(x.startswith(f"waiting for {place}/DDQN/race: ") for x in watch.lines)
    [line] = [x for x in watch.lines if "the end of the run is not mirrored" in x]
    assert line.endswith(f"runs.py mirror {done.run}")


def test_only_the_newest_checkpoint_waits(
    s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one upload takes its time, those that are overtaken are dropped, and their links with them."""
    place = f"{s3.url}/{tmp_path.name}"
    go_on, first = threading.Event(), threading.Event()
    real = Store.write

    def slow(self: Store, path: str, *more: Any) -> None:
        if "checkpoints" in path:
            first.set()
            go_on.wait(30)
        real(self, path, *more)

    monkeypatch.setattr(Store, "write", slow)
    seen: list[int] = []

    def look(decisions: int) -> None:
        first.wait(30)
        staged = sorted((tmp_path / "runs/DDQN/race/.mirror").glob("staged-*"))
        seen.append(len(staged))
        if decisions == 1440:
            go_on.set()

    watch = Watch(look)
    run = drive_there(ddqn(tmp_path / "runs", mirror_to=place, **SHORT), sinks=[watch]).run
    assert max(seen) == 2, "one on its way, one that waits"
    assert whole_checkpoints(place) == [0, 1440] and checkpoints(run) == [1200, 1440]


def test_no_secret_is_written_anywhere(
    s3: S3Server, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    place = f"{s3.url}/{tmp_path.name}"
    messages = MessageRecorder()
    settings = ddqn(tmp_path / "runs", mirror_to=place, **SHORT | {"decisions": 240})
    run = drive_there(settings, sinks=[messages]).run
    keys = [s3.environment[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")]
    texts = [*content(place).values(), *map(str.encode, [*messages.lines, *capfd.readouterr()])]
    texts += [p.read_bytes() for p in run.rglob("*") if p.is_file()]
    assert len(texts) > 12
    for key in keys:
        assert not any(key.encode() in text for text in texts)
