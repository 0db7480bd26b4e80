"""boot.sh wherever it is called from, however, and on whatever checkout."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.summary.writer.record_writer import RecordWriter

from tests.support.server import (
    BOOT,
    ENVIRONMENT,
    PATIENCE_SECONDS,
    ROOT,
    Server,
    in_namespaces,
    wait_for,
)

CALLS = {
    "by its path": "'{home}/boot.sh' notebook",
    "from its folder": "cd '{home}' && ./boot.sh notebook",
    "with CDPATH exported": "export CDPATH='{tmp}:/usr'; cd '{tmp}' >&2 && 'a b/boot.sh' notebook",
    "by a link": "cd / && '{bin}/boot' notebook",
    "by a link to a link, in PATH": "PATH='{bin}':$PATH; cd / && again notebook",
    "by sh": "cd '{tmp}' && sh 'a b/boot.sh' notebook",
    "by bash, which looks for it in PATH": "PATH='{home}':$PATH; cd / && bash boot.sh notebook",
    "by a bash that keeps to POSIX": "POSIXLY_CORRECT=1 bash '{home}/boot.sh' notebook",
    "sourced": "set -e; code=0; . '{home}/boot.sh' notebook || code=$?; exit $code",
}


@pytest.mark.parametrize("call", CALLS)
def test_it_finds_its_own_folder(call: str, tmp_path: Path) -> None:
    """Alone in a folder it says which one that is."""
    home, links = tmp_path / "a b", tmp_path / "bin"
    for folder in (home, links):
        folder.mkdir()
    shutil.copy(BOOT, home)
    (links / "boot").symlink_to("../a b/boot.sh")
    (links / "again").symlink_to("boot")
    line = CALLS[call].format(home=home, tmp=tmp_path, bin=links)
    done = subprocess.run(["bash", "-c", line], env=ENVIRONMENT, capture_output=True, text=True)
    told = done.stderr.splitlines()[-1:]
    assert (done.returncode, told) == (2, [f"error: there is no folder notebooks/ in {home}"])


def test_a_checkout_with_carriage_returns_has_none(tmp_path: Path) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    clone = [
        "git",
        "clone",
        "-q",
        "-c",
        "core.autocrlf=true",
        f"file://{ROOT}",
        str(tmp_path / "c"),
    ]
    subprocess.run(clone, check=True)
    listing = ["git", "ls-files", "--eol", "--", ":!*.safetensors", ":!*.png", ":!*.gif"]
    ends = subprocess.run(listing, cwd=tmp_path / "c", capture_output=True, text=True, check=True)
    kinds = {line.split()[1] for line in ends.stdout.splitlines()}
    assert kinds <= {"w/lf", "w/none"}
    done = subprocess.run([str(tmp_path / "c/boot.sh"), "--help"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "boot.sh tensorboard [RUNS]" in done.stdout


def test_tensorboard_alone_shows_runs_without_tensorflow(server: Server) -> None:
    run = server.folder / "my runs/DQN/a"
    run.mkdir(parents=True)
    event = Event(step=1)
    event.summary.value.add(tag="driving/score", simple_value=900.0)
    with (run / "events.out.tfevents.1").open("wb") as file:
        RecordWriter(file).write(event.SerializeToString())
    started = server.start("tensorboard", "my runs")
    wait_for(lambda: "DQN/a" in server.answers("data/runs"))
    maps = [Path(f"/proc/{process}/maps").read_text() for process in server.processes()]
    assert len(maps) >= 2 and not any("libtensorflow" in text for text in maps)
    started.send_signal(signal.SIGTERM)
    out, err = started.communicate(timeout=PATIENCE_SECONDS)
    assert (started.returncode, err) == (0, "")
    assert out.startswith(f"TensorBoard: http://127.0.0.1:{server.port}, logs in my runs")
    assert server.processes() == []


def test_make_tensorboard_is_the_same(tmp_path: Path) -> None:
    line = ["make", "--dry-run", "tensorboard", f"VENV={tmp_path}/new", "ARGS=elsewhere"]
    # `make test` runs this; a make within a make says where it goes.
    alone = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    steps = subprocess.run(line, cwd=ROOT, env=alone, capture_output=True, text=True, check=True)
    assert steps.stdout.splitlines()[-1] == "./boot.sh tensorboard elsewhere"


@pytest.mark.parametrize(
    ("arguments", "folder"),
    [
        ([], "runs"),
        (["--runs=here"], "here"),
        (["--runs", "here", "--resume", "-1"], "here"),
        (["--resume", "auto", "--name", "race"], "runs"),
        (["--resume=a-name"], "runs"),
        (["--resume", "far/DDQN/race"], "{}/far"),
        (["--runs=here", "--resume=far/race"], "{}/far/race"),
    ],
)
def test_the_folder_that_is_shown_is_that_of_the_run(
    arguments: list[str], folder: str, tmp_path: Path
) -> None:
    for run in ("far/DDQN/race", "far/race"):
        (tmp_path / run).mkdir(parents=True)
    function = re.search(r"^shown_folder\(\) \{.*?^\}", BOOT.read_text(), re.M | re.S)
    assert function
    script = f'{function[0]}; shown_folder "$@"'
    shown = subprocess.run(
        ["bash", "-c", script, "boot.sh", *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout == folder.format(tmp_path) + "\n"


@pytest.mark.parametrize("arguments", [[], ["--runs=runs"], ["DQN.py"], ["tensorboard"]])
def test_a_link_to_nowhere_is_called_one(server: Server, arguments: list[str]) -> None:
    (server.folder / "runs").symlink_to("gone")
    code, out, err = server.run(*arguments)
    assert (code, out) == (2, "")
    assert err == (
        "error: runs is a link to gone, which is not there; make that folder, or remove the link\n"
    )


@pytest.mark.parametrize(
    ("arguments", "refusal"),
    [
        ([], "there is no folder runs; train first, or name the folder that has the runs"),
        (["gone"], "there is no folder gone; train first, or name the folder that has the runs"),
        (["a", "b"], "tensorboard takes one folder of runs, got a b"),
    ],
)
def test_what_tensorboard_cannot_show_is_one_line(
    server: Server, arguments: list[str], refusal: str
) -> None:
    assert server.run("tensorboard", *arguments) == (2, "", f"error: {refusal}\n")


def test_a_python_without_our_libraries_is_one_line(server: Server) -> None:
    bare = {"PATH": "/usr/bin:/bin"}
    if (ROOT / ".venv/bin/python3").exists() or not shutil.which("python3", path=bare["PATH"]):
        pytest.skip("boot.sh would take another Python")
    code, out, err = server.run("evaluate", "random", **bare)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "make setup" in err


def test_closed_outputs_do_not_reach_what_it_starts(server: Server) -> None:
    """A server that opens its first file would write its log into it."""
    line = f"{shlex.quote(str(BOOT))} PPO.py >&- 2>&-; echo $?"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("2\n", "")


def in_a_container(*mounts: str, tmp: Path, arguments: tuple[str, ...] = ()) -> tuple[int, str]:
    """Exit code and stderr of boot.sh where it takes itself for a container's, with mounts of our own."""
    environment = {**ENVIRONMENT, "IN_CONTAINER": "1", "TMPDIR": str(tmp / "t m p")}
    command = [*in_namespaces(*mounts), str(BOOT), *arguments]
    done = subprocess.run(command, cwd=tmp, env=environment, capture_output=True, text=True)
    return done.returncode, done.stderr


def test_a_read_only_container_needs_a_folder_for_temporary_files(tmp_path: Path) -> None:
    (tmp_path / "t m p").mkdir()
    code, err = in_a_container(f"mount -t tmpfs -o ro none '{tmp_path}/t m p'", tmp=tmp_path)
    folder = tmp_path / "t m p"
    assert (code, err) == (
        2,
        f"error: cannot write to {folder}; with --read-only, give --tmpfs /tmp too\n",
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mounts", "warned"),
    [
        ([], True),
        (["mount --bind '{tmp}/disk' '{tmp}/my runs'"], False),
        (["mount -t tmpfs none '{tmp}/my runs'"], True),
    ],
)
def test_runs_that_go_with_their_container_are_told(
    mounts: list[str], warned: bool, tmp_path: Path
) -> None:
    for name in ("t m p", "disk", "my runs"):
        (tmp_path / name).mkdir()
    if not mounts and subprocess.run(["mountpoint", "-q", "/tmp"]).returncode == 0:
        pytest.skip("temporary files are on a disk of their own here")
    code, err = in_a_container(
        *(mount.format(tmp=tmp_path) for mount in mounts),
        tmp=tmp_path,
        arguments=("--runs", "my runs", "--cars", "0"),
    )
    assert code == 2
    told = "warning: my runs is inside the container and goes when it is removed;"
    assert (told in err) is warned


def test_the_pages_that_ask_for_it_name_every_command() -> None:
    page = (ROOT / "docs" / "servers.md").read_text()
    for command in ("tensorboard [RUNS]", "evaluate DRIVER", "notebook"):
        assert f"./boot.sh {command}" in page
    assert os.access(BOOT, os.X_OK)
