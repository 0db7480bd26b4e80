"""All runs below a folder, and which one is meant."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from training.runs.names import RunError
from training.runs.run_folder import RunFolder
from training.runs.store import Runs

STARTED = {  # oldest first
    "DQN/zebra": "2024-12-31T23:59:59+00:00",
    "DDQN/night-seed1": "2025-01-01T01:30:00+02:00",  # 23:30 UTC, but on a clock elsewhere
    "DDQN/20250101-000000-seed2": "2025-01-01T00:00:00",
    "DQN/apple": "2025-03-01T10:00:00+00:00",
    "DDQN/apple": "2025-03-01T10:00:01+00:00",
    "DDQN/night-seed10": "2025-06-01T00:00:00+00:00",
}
ORDER = [
    "DDQN/night-seed1",
    "DQN/zebra",
    "DDQN/20250101-000000-seed2",
    "DQN/apple",
    "DDQN/apple",
    "DDQN/night-seed10",
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Runs, each touched in another order than they were started; and what is no run."""
    for name, started in STARTED.items():
        folder = tmp_path / name
        folder.mkdir(parents=True)
        (folder / "config.json").write_text("{}")
        origin = {"agent": name.split("/")[0], "started": started}
        (folder / "origin.json").write_text(json.dumps(origin))
    for number, name in enumerate(sorted(STARTED)):
        for path in (
            tmp_path / name / "config.json",
            tmp_path / name / "origin.json",
            tmp_path / name,
        ):
            os.utime(path, (10**9 - number, 10**9 - number))
    (tmp_path / "DDQN" / ".new-abc").mkdir()
    (tmp_path / "DDQN" / ".new-abc" / "config.json").write_text("{}")
    (tmp_path / "DDQN" / "folder").mkdir()
    return tmp_path


def names(runs: list[RunFolder]) -> list[str]:
    return ["/".join(run.path.parts[-2:]) for run in runs]


def test_all_by_the_time_that_they_say(root: Path) -> None:
    assert names(Runs(root).all()) == ORDER
    assert names(Runs(root, "DQN").all()) == [n for n in ORDER if n.startswith("DQN/")]
    assert Runs(root / "nothing").all() == []


def test_a_run_that_does_not_say_is_the_oldest(root: Path) -> None:
    for name, origin in (("DQN/apple", "[]"), ("DDQN/apple", '{"started": "soon"}')):
        (root / name / "origin.json").write_text(origin)
    assert names(Runs(root).all())[:2] == ["DDQN/apple", "DQN/apple"]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("-1", "DDQN/night-seed10"),
        ("latest", "DDQN/night-seed10"),
        ("0", "DDQN/night-seed1"),
        ("1", "DQN/zebra"),
        ("-6", "DDQN/night-seed1"),
        ("zebra", "DQN/zebra"),
        ("DQN/app", "DQN/apple"),  # which DDQN/apple ends in
        ("DQN/apple", "DQN/apple"),
        ("zeb", "DQN/zebra"),
        ("night-seed1", "DDQN/night-seed1"),  # a whole name, though another one has it in it
        ("seed10", "DDQN/night-seed10"),
        ("20250101", "DDQN/20250101-000000-seed2"),
        ("z*", "DQN/zebra"),
        ("*/night-seed1?", "DDQN/night-seed10"),
    ],
)
def test_one_is_meant(root: Path, wanted: str, found: str) -> None:
    assert names([Runs(root).resolve(wanted)]) == [found]


def test_a_path_is_a_path(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Runs("elsewhere").resolve(str(root / "DQN" / "zebra")).path == root / "DQN" / "zebra"
    monkeypatch.chdir(root / "DQN")
    assert Runs(root).resolve("zebra").path == Path("zebra")
    assert names([Runs(root, "DQN").resolve("-1")]) == ["DQN/apple"]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("apple", "'apple' could be .*/DQN/apple, .*/DDQN/apple: give more of its name"),
        ("night", "could be .*/night-seed1, .*/night-seed10: give more"),
        ("*", "could be .* and 1 more: give more"),
        ("nobody", "no run 'nobody' in "),
        ("x" * 300, "no run 'xxx"),
        ("", "no run '' in |is not a run"),
        ("6", "no run 6 in .*: there are 6"),
        ("-7", "no run -7 in .*: there are 6"),
    ],
)
def test_none_or_too_many_is_one_line(root: Path, wanted: str, message: str) -> None:
    with pytest.raises(RunError, match=message) as e:
        Runs(root).resolve(wanted)
    assert "\n" not in str(e.value)


def test_a_folder_that_is_no_run_is_told_so(root: Path) -> None:
    with pytest.raises(RunError, match=re.escape(f"{root} is not a run")):
        Runs(root).resolve(str(root))


def test_several_may_be_meant(root: Path) -> None:
    assert names(Runs(root).matching("apple")) == ["DQN/apple", "DDQN/apple"]
    assert names(Runs(root).matching("*seed1*")) == ["DDQN/night-seed1", "DDQN/night-seed10"]
    assert names(Runs(root).matching("DQN/")) == ["DQN/zebra", "DQN/apple"]  # not DDQN/
    assert names(Runs(root).matching("DQN/*")) == ["DQN/zebra", "DQN/apple"]
    with pytest.raises(RunError, match="no run"):
        Runs(root).matching("x*")
