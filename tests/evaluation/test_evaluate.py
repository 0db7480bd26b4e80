"""The evaluation protocol: an episode depends on driver and track alone, and bad input is refused."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import tyro

import evaluate as evaluate_script
from agents.network import weights_of
from agents.weights import pack
from evaluation.drivers import load_driver
from evaluation.evaluation import drive, drive_together, summarise
from evaluation.scores import read_episodes
from racing.episode import Episode
from racing.spec import WorldSpec
from racing.world import World
from tests.support.command_line import ROOT, files_below, start
from tests.support.networks import SMALL, small_network

HEAD = b"track,score,frames,tiles,track_tiles,laps,end_reason\n"


def test_an_episode_is_whole_and_its_score_is_raw() -> None:
    """Against a world driven by hand with the same policy."""
    driver = load_driver("random-continuous")
    episode = drive(driver, 5, "fast")
    world, policy = World(WorldSpec(actions=""), "fast"), driver.policy(5)
    world.reset(5)
    rewards = []
    while not world.end_reason:
        [control] = policy.act(world.observation[None])
        rewards.append(world.step(control).reward)
    assert episode == Episode(
        track=5,
        score=round(sum(rewards), 4),
        frames=world.simulator.frames,
        tiles=world.simulator.tile_visited_count,
        track_tiles=len(world.simulator.track),
        laps=0,
        end_reason=world.end_reason,
    )


def test_summary_by_hand() -> None:
    scores = [900.0, 920.0, -20.0, 800.0]
    episodes = [Episode(i, s, 500 + i, 9, 9, int(s > 850), "lap") for i, s in enumerate(scores)]
    s = summarise(episodes)
    assert (s.episodes, s.mean, s.min, s.median, s.max, s.laps) == (4, 650, -20, 850, 920, 2)
    assert s.std == pytest.approx(np.sqrt((250**2 + 270**2 + 670**2 + 150**2) / 3))
    assert s.frames == 501.5
    assert -20 <= s.low < s.mean < s.high <= 920
    same = summarise([episodes[0]] * 30)
    assert (same.low, same.high, same.std) == (900, 900, 0)


def weight_file(path: Path, **changes: object) -> Path:
    card = {
        "network": {"convolutions": SMALL.convolutions, "dense": SMALL.dense, "dueling": True},
        "observation": (2, 8, 8),
        "actions": 5,
        "world": {"height": 8, "width": 8, "stack": 2, "frame_skip": 4, "actions": "brisk"},
    }
    path.write_bytes(pack(weights_of(small_network()), card | changes))
    return path


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({}, "does not fit its world"),  # five values, nineteen actions
        ({"world": {"height": 1}}, "describe a world"),
        ({"world": {"sky": "blue"}}, "describe a world"),
        ({"world": {"height": 8.0, "width": 8}}, "describe a world"),
        ({"world": {"frame_skip": "4"}}, "describe a world"),
        ({"world": None}, "describe a world"),
        ({"network": {}}, "describe a network"),
    ],
)
def test_a_model_of_another_world_is_no_driver(
    tmp_path: Path, changes: dict[str, object], named: str
) -> None:
    path = weight_file(tmp_path / "other.safetensors", **changes)
    with pytest.raises(ValueError, match=f"{path}: .*{named}"):
        load_driver(str(path))


def test_drivers_and_tracks_that_are_not_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    csv = tmp_path / "nowhere" / "scores.csv"
    cases = [
        (["nobody"], "'nobody'"),
        ([str(tmp_path / "missing.safetensors")], "missing.safetensors: "),
        (["random", "--tracks", "9:3"], "'9:3'"),
        (["random", "--csv", str(csv)], str(csv.parent)),
    ]
    before = files_below(tmp_path)
    for options, named in cases:
        assert named in refusal(capsys, *options)
    assert files_below(tmp_path) == before


@pytest.mark.slow
def test_a_broken_model_through_the_command_line(tmp_path: Path) -> None:
    """A process that drives finds it, and does not say it itself."""
    broken = weight_file(tmp_path / "broken.safetensors")
    broken.write_bytes(broken.read_bytes()[:-1])
    process = start("evaluate", str(broken), "--processes", "1")
    _, err = process.communicate(timeout=200)
    *waited, line = err.splitlines()
    assert all(" tracks after " in x for x in waited), err  # on a slow machine
    assert process.returncode == 2 and line.startswith(f"error: {broken}: "), err
    assert files_below(tmp_path) == [broken]


@pytest.mark.slow
def test_a_csv_has_a_row_per_episode(tmp_path: Path) -> None:
    path = tmp_path / "random.csv"
    process = start("evaluate", "random", "--tracks", "7:9", "--camera", "fast", "--csv", str(path))
    out, err = process.communicate(timeout=200)
    assert process.returncode == 0, err
    episodes = read_episodes(path)
    assert [e.track for e in episodes] == [7, 8]
    assert all(e.end_reason in ("time", "out") and e.score < 200 for e in episodes)
    assert f"mean {np.mean([e.score for e in episodes]):.1f}" in out


def refusal(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    """The line that the script ends with, called as its command line does."""
    with pytest.raises(SystemExit) as end:
        evaluate_script.main(tyro.cli(evaluate_script.Options, args=options))
    out, err = capsys.readouterr()
    assert (end.value.code, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1, err
    return err


def test_what_could_not_be_written_is_refused_before_anybody_drives(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    csv = tmp_path / "scores.csv"
    csv.write_text("earlier results")
    link = tmp_path / "link.csv"
    link.symlink_to(csv)
    cases = [
        (["--csv", str(tmp_path)], "cannot write"),
        (["--csv", str(link)], "not a plain file"),
        (["--csv", "/dev/null"], "not a plain file"),  # root would put a file in its place
        (["--csv", "/proc/scores.csv"], "cannot write"),  # nor may root
        (["--film", str(csv)], "cannot write"),
        (["--film", "/proc/films"], "cannot write"),
        (["--gif", "/proc/drive.gif"], "cannot write"),
        (["--gif", str(tmp_path / "drive.mp4")], "ends in .gif"),
        (["pid", "--csv", str(csv)], "one driver at a time"),
        (["--all", "--csv", str(csv)], "--all takes no"),
        (["--episodes", "0"], "episodes must be"),
        (["--processes", "0"], "processes must be"),
    ]
    for options, named in cases:
        assert named in refusal(capsys, "random", *options)
    assert "name at least one driver" in refusal(capsys)
    assert files_below(tmp_path) == [link, csv]
    assert csv.read_text() == "earlier results"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tmp_path.chmod(0o500)
    assert "cannot write" in refusal(capsys, "random", "--csv", str(tmp_path / "scores.csv"))


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"track,score\n0,12\n", "the columns must be"),
        (HEAD + b"0,923.4,766,319\n", "csv:2: not an episode"),
        (HEAD + b"0,923.4,766,319,319,1,lap\n" * 2, "twice"),
        (HEAD, "no episodes"),
        (b"\xff\xfe\x00", "not a CSV"),
    ],
    ids=["foreign", "half", "double", "none", "binary"],
)
def test_a_table_of_bad_scores_is_not_written(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    content: bytes,
    named: str,
) -> None:
    scores = tmp_path / "results" / "scores"
    shutil.copytree(ROOT / "results", scores.parent)
    (tmp_path / "imgs").mkdir()
    shutil.copy(ROOT / "README.md", tmp_path)
    (tmp_path / "docs").mkdir()
    shutil.copy(ROOT / "docs" / "results.md", tmp_path / "docs")
    monkeypatch.setattr(evaluate_script, "HERE", tmp_path)
    monkeypatch.setattr(evaluate_script, "SCORES", scores)
    (scores / "human.csv").write_bytes(content)
    before = {p: p.is_file() and p.read_bytes() for p in files_below(tmp_path)}
    line = refusal(capsys, "--table")
    assert named in line
    assert "human.csv" in line
    assert {p: p.is_file() and p.read_bytes() for p in files_below(tmp_path)} == before
    (scores / "human.csv").unlink()
    (tmp_path / "imgs").rename(tmp_path / "away")
    assert "cannot write" in refusal(capsys, "--table")
    (tmp_path / "away").rename(tmp_path / "imgs")
    evaluate_script.main(evaluate_script.Options(drivers=(), table=True))
    assert (tmp_path / "README.md").read_text() == (ROOT / "README.md").read_text()
    assert len(files_below(tmp_path / "imgs")) == 2


@pytest.mark.parametrize("track", [5, 7])
def test_what_is_told_of_an_episode_adds_up(track: int) -> None:
    gains: list[float] = []
    [episode] = drive_together(load_driver("random"), [track], "fast", gains.append)
    assert sum(gains) == pytest.approx(1)
    assert len(gains) == -(-episode.frames // 4)
    assert all(gain > 0 for gain in gains)
