"""Checkpoints: whole or not there, checked before they are believed, and the replay shared between them."""

from __future__ import annotations

import json
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.replay import FrameStore
from tests.support.fake_experience import as_trajectory, frame_store, part, play
from training.runs.checkpoint import CheckpointError, Checkpoints

RING, STEPS, KEEP = 20, 60, 2
EXPERIENCE = as_trajectory(play([[(4, True), (7, False)], [(5, True)]], STEPS), STEPS)
ROOT = Path(__file__).parents[3]


def empty_store() -> FrameStore:
    return frame_store(RING, 2, stack=2, n_step=2)


def content(decisions: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Something to save that differs from checkpoint to checkpoint."""
    arrays = {"learner/w": np.full((3, 2), decisions, np.float32), "updates": np.array(decisions)}
    return {"decisions": decisions, "rng": {"state": 2**127 + decisions}}, arrays


def save_until(folder: Path, ends: list[int]) -> tuple[Checkpoints, FrameStore]:
    """Checkpoints at these numbers of slots (two decisions each)."""
    checkpoints, store = Checkpoints(folder), empty_store()
    for end in ends:
        while store.written < end:
            step = min(end - store.written, 7)
            store.extend(part(EXPERIENCE, store.written, store.written + step))
        checkpoints.save(2 * end, *content(2 * end), store)
    return checkpoints, store


def assert_loads(checkpoints: Checkpoints, decisions: int) -> None:
    """All is there as it was saved."""
    store = empty_store()
    state, arrays = checkpoints.load(decisions, store)
    expected_state, expected_arrays = content(decisions)
    assert state == expected_state
    assert arrays.keys() == expected_arrays.keys()
    for name, array in expected_arrays.items():
        np.testing.assert_array_equal(arrays[name], array)
    end = decisions // 2
    assert store.written == end
    first = max(end - RING, 0)
    for name, array in vars(store.trajectory(first, end)).items():
        np.testing.assert_array_equal(array, getattr(part(EXPERIENCE, first, end), name))


@settings(max_examples=25)
@given(gaps=st.lists(st.integers(1, 25), min_size=1, max_size=6))
def test_every_checkpoint_that_is_kept_restores_the_same_store(
    tmp_path_factory: pytest.TempPathFactory, gaps: list[int]
) -> None:
    """Before the ring is full, when it is, wrapped once or often, chunks longer than the ring."""
    ends = [int(e) for e in np.cumsum(gaps) if e <= STEPS]
    checkpoints, _ = save_until(tmp_path_factory.mktemp("run"), ends)
    assert checkpoints.steps() == [2 * e for e in ends[-KEEP:]]
    for decisions in checkpoints.steps():
        assert_loads(checkpoints, decisions)


def test_a_chunk_is_written_once_and_kept_as_long_as_it_is_needed(tmp_path: Path) -> None:
    checkpoints, store = save_until(tmp_path, [8])
    written: dict[str, int] = {}
    for end in range(16, STEPS, 8):
        for file in (tmp_path / "replay").iterdir():
            written[file.name] = file.stat().st_mtime_ns
        while store.written < end:
            store.extend(part(EXPERIENCE, store.written, store.written + 4))
        checkpoints.save(2 * end, *content(2 * end), store)
        listed: set[str] = set()
        for decisions in checkpoints.steps():
            manifest = json.loads((tmp_path / f"{decisions:09d}" / "manifest.json").read_text())
            listed |= {name for name in manifest["manifest"]["files"] if name.startswith("replay/")}
        there = {f"replay/{file.name}" for file in (tmp_path / "replay").iterdir()}
        assert there == listed
        for file in (tmp_path / "replay").iterdir():
            assert file.stat().st_mtime_ns == written.get(file.name, file.stat().st_mtime_ns)
        firsts = [int(name.split("/")[1].split("-")[0]) for name in there]
        assert min(firsts) > end - 8 * (KEEP - 1) - RING - 8, "older than any ring reaches"
    names = sorted(p.name for p in tmp_path.iterdir())
    assert names == [*(f"{d:09d}" for d in checkpoints.steps()), "replay"]


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def remove(path: Path) -> None:
    path.unlink()


FILES = ["{step}/arrays.safetensors", "{step}/state.json", "{step}/manifest.json", "chunk"]


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("damage", [truncate, empty, flip, remove])
def test_a_damaged_file_is_refused_by_name(
    tmp_path: Path, file: str, damage: Callable[[Path], None]
) -> None:
    checkpoints, _ = save_until(tmp_path, [8, 16, 24])
    newest, before = checkpoints.steps()[-1], checkpoints.steps()[-2]
    if file == "chunk":  # the newest: the checkpoint before does without
        path = tmp_path / "replay" / "16-24.safetensors"
    else:
        path = tmp_path / file.format(step=f"{newest:09d}")
    damage(path)
    with pytest.raises(CheckpointError, match=str(path)):
        checkpoints.load(newest, empty_store())
    assert_loads(checkpoints, before)


def test_a_damaged_old_chunk_is_refused_by_name(tmp_path: Path) -> None:
    checkpoints, _ = save_until(tmp_path, [8, 16, 24])
    flip(tmp_path / "replay" / "8-16.safetensors")
    for decisions in checkpoints.steps():
        with pytest.raises(CheckpointError, match=r"8-16\.safetensors"):
            checkpoints.load(decisions, empty_store())


def test_no_byte_of_a_manifest_can_change_unnoticed(tmp_path: Path) -> None:
    """It is what vouches for the rest, so it must vouch for itself."""
    checkpoints, _ = save_until(tmp_path, [8, 16])
    path = tmp_path / f"{checkpoints.steps()[-1]:09d}" / "manifest.json"
    whole = path.read_bytes()
    unnoticed = []
    for at in range(len(whole)):
        for bit in (at % 8, (at + 3) % 8):
            damaged = bytearray(whole)
            damaged[at] ^= 1 << bit
            path.write_bytes(damaged)
            try:
                checkpoints.load(checkpoints.steps()[-1], empty_store())
            except CheckpointError:
                continue
            except Exception as e:
                pytest.fail(f"not refused, but {e!r}")
            unnoticed.append(bytes(damaged[max(at - 12, 0) : at + 12]))
    assert not unnoticed


def test_no_flip_anywhere_goes_unnoticed(tmp_path: Path) -> None:
    """300 random bits over all files of a checkpoint: each refused by the name of its file, nothing deleted."""
    checkpoints, _ = save_until(tmp_path, [8, 16, 24])
    newest, before = checkpoints.steps()[-1], checkpoints.steps()[-2]
    files = sorted(p for p in tmp_path.rglob("*") if p.is_file() and f"{before:09d}" not in str(p))
    assert len(files) == 6  # three of the checkpoint, three chunks
    rng = np.random.default_rng(0)
    for number in range(300):
        path = files[number % len(files)]
        whole = path.read_bytes()
        damaged = bytearray(whole)
        damaged[rng.integers(len(whole))] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError, match=re.escape(str(path))):
            checkpoints.load(newest, empty_store())
        path.write_bytes(whole)
        assert files == [p for p in files if p.is_file()]
    assert_loads(checkpoints, newest)


def test_files_of_another_run_are_refused(tmp_path: Path) -> None:
    """One file, or the whole folder, or an older checkpoint of the same run in its place."""
    ours, other = tmp_path / "ours", tmp_path / "other"
    save_until(ours, [8, 16, 24])
    checkpoints = Checkpoints(ours)
    foreign, store = Checkpoints(other, run="other"), empty_store()
    for end in (8, 16, 24):
        store.extend(part(EXPERIENCE, store.written + 1, end + 1))
        foreign.save(2 * end, {"decisions": 0}, content(2 * end + 1)[1], store)
    for file in sorted(p.relative_to(ours) for p in ours.rglob("*") if p.is_file()):
        if "000000032" in str(file):
            continue
        whole = (ours / file).read_bytes()
        (ours / file).write_bytes((other / file).read_bytes())
        with pytest.raises(CheckpointError, match=re.escape(str((ours / file).parent))):
            checkpoints.load(48, empty_store())
        (ours / file).write_bytes(whole)
    assert_loads(checkpoints, 48)
    with pytest.raises(CheckpointError, match="belongs to another run"):
        Checkpoints(other, run="ours").load(48, empty_store())
    shutil.rmtree(ours / "000000048")
    shutil.copytree(ours / "000000032", ours / "000000048")
    with pytest.raises(CheckpointError, match=r"000000048: belongs to another run or place"):
        checkpoints.load(48, empty_store())
    assert_loads(checkpoints, 32)


@pytest.mark.parametrize("file", ["000000032/manifest.json", "replay/8-16.safetensors"])
@pytest.mark.parametrize("damage", [truncate, remove])
def test_what_rots_while_training_goes_on_is_written_anew(
    tmp_path: Path, file: str, damage: Callable[[Path], None]
) -> None:
    checkpoints, store = save_until(tmp_path, [8, 16])
    damage(tmp_path / file)
    store.extend(part(EXPERIENCE, 16, 24))
    checkpoints.save(48, *content(48), store)
    assert_loads(checkpoints, 48)


def test_what_was_damaged_is_set_aside_and_made_anew(tmp_path: Path) -> None:
    checkpoints, store = save_until(tmp_path, [8, 16, 24])
    flip(damaged := tmp_path / "000000048" / "state.json")
    again, messages = empty_store(), list[str]()
    checkpoints.load_newest(again, messages.append)
    assert messages == [
        f"{damaged}: damaged, its SHA-256 is not the one that was saved; trying the previous checkpoint"
    ]
    assert checkpoints.steps() == [32]
    assert (tmp_path / "damaged-000000048" / "state.json").exists()
    again.extend(part(EXPERIENCE, 16, 24))
    checkpoints.save(48, *content(48), again)
    assert checkpoints.steps() == [32, 48]
    for decisions in checkpoints.steps():
        assert_loads(checkpoints, decisions)
    assert store.written == again.written


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """As on a full disk: a write beyond this fails."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("size", [10, 300, 500])  # the chunk, the arrays, the manifest do not fit
def test_a_full_disk_leaves_earlier_checkpoints_alone(tmp_path: Path, size: int) -> None:
    checkpoints, store = save_until(tmp_path, [8, 16])
    store.extend(part(EXPERIENCE, 16, 17))
    before = sorted(p for p in tmp_path.rglob("*") if p.is_file())
    with files_no_larger_than(size), pytest.raises(OSError):
        checkpoints.save(34, {"long": "x" * 400, **content(34)[0]}, content(34)[1], store)
    assert checkpoints.steps() == [16, 32]
    for decisions in (16, 32):
        assert_loads(checkpoints, decisions)
    assert sorted(p for p in tmp_path.rglob("*") if p.is_file()) == before
    checkpoints.save(34, *content(34), store)  # there is room again
    assert_loads(checkpoints, 34)


SAVE_AND_SAVE = """
import sys
from pathlib import Path
from tests.training.runs.test_checkpoint import EXPERIENCE, content, empty_store, part
from training.runs.checkpoint import Checkpoints
checkpoints, store = Checkpoints(Path(sys.argv[1])), empty_store()
for end in range(4, 60, 2):
    store.extend(part(EXPERIENCE, store.written, end))
    checkpoints.save(2 * end, *content(2 * end), store)
    print(end, flush=True)
"""


@pytest.mark.parametrize("wait", [0.0, 0.003, 0.009, 0.02, 0.05])
def test_killed_at_any_moment_the_last_checkpoint_is_whole(tmp_path: Path, wait: float) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SAVE_AND_SAVE, str(tmp_path)],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    for _ in range(5):
        assert process.stdout.readline()
    time.sleep(wait)
    process.kill()
    process.communicate()
    checkpoints = Checkpoints(tmp_path)
    assert len(checkpoints.steps()) >= KEEP
    for decisions in checkpoints.steps()[-KEEP:]:
        assert_loads(checkpoints, decisions)


def test_no_checkpoints(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "nothing")
    assert checkpoints.steps() == []
    with pytest.raises(CheckpointError, match=r"manifest\.json"):
        checkpoints.load(5, empty_store())
