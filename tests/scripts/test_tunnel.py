"""The tunnel of docs/servers.md, dug with a real ssh and sshd on this machine."""

from __future__ import annotations

import getpass
import os
import re
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.ports import free_port
from tests.support.server import ROOT, TINY, Server, wait_for

SSHD = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin")
KEYS = ["-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes"]


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[int]:
    """The port of an sshd of our own that lets us in by a key of our own."""
    if not (SSHD and shutil.which("ssh") and shutil.which("ssh-keygen")):
        pytest.skip("openssh-server or openssh-client is not installed")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # sshd wants it when it is root
    port = free_port()
    for name in ("host", "mine"):
        line = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / name)]
        subprocess.run(line, check=True)
    (tmp_path / "known").write_text(f"[127.0.0.1]:{port} {(tmp_path / 'host.pub').read_text()}")
    (tmp_path / "config").write_text(f"""
Port {port}
ListenAddress 127.0.0.1
HostKey {tmp_path}/host
AuthorizedKeysFile {tmp_path}/mine.pub
StrictModes no
UsePAM no
PasswordAuthentication no
PidFile none
""")
    process = subprocess.Popen(
        [SSHD, "-D", "-e", "-f", str(tmp_path / "config")], stderr=subprocess.PIPE, text=True
    )
    assert process.stderr and "listening" in process.stderr.readline()
    yield port
    process.terminate()
    process.communicate()


def published() -> tuple[str, str]:
    """What the page says: the address that docker publishes TensorBoard at, and the tunnel's command."""
    text = (ROOT / "docs" / "servers.md").read_text()
    address = re.findall(r"--publish (127\.0\.0\.1:6006):6006", text)[0]
    (tunnel,) = re.findall(r"^ssh (.+)$", text, re.M)
    return address, tunnel


@pytest.mark.slow
def test_the_page_comes_through_the_tunnel(server: Server, sshd: int, tmp_path: Path) -> None:
    address, tunnel = published()
    assert tunnel == f"-N -L 6006:{address} YOU@SERVER"
    here, there = free_port(), f"127.0.0.1:{server.port}"
    options = tunnel.replace("6006:" + address, f"{here}:{there}")
    options = options.replace("YOU@SERVER", f"{getpass.getuser()}@127.0.0.1")
    keys = [*KEYS, "-i", str(tmp_path / "mine"), "-o", f"UserKnownHostsFile={tmp_path}/known"]
    ssh = subprocess.Popen(
        [
            "ssh",
            "-F",
            "none",
            "-p",
            str(sshd),
            *keys,
            "-o",
            "ExitOnForwardFailure=yes",
            *options.split(),
        ]
    )
    try:
        training = server.start(*TINY)
        wait_for(server.answers)

        def page() -> str:
            assert ssh.poll() is None, "ssh ended"
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{here}/", timeout=20) as answer:
                    text: str = answer.read().decode()
                    return text
            except OSError:
                time.sleep(0.2)
                return ""

        wait_for(page)
        assert "<title>TensorBoard</title>" in page()
        training.terminate()
        training.communicate(timeout=100)
    finally:
        ssh.terminate()
        ssh.wait()
