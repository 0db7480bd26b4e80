"""What is asked before a server starts."""

from __future__ import annotations

import socket

import pytest

from deploy.ports import free_port
from system.preflight import check_modules, check_port


def test_a_free_port_and_modules_that_are_there_pass() -> None:
    check_port("127.0.0.1", str(free_port()), "PORT")
    check_modules(["json", "system"])


@pytest.mark.parametrize("port", ["", "0", "-1", "65536", "6006.0", "http", "\u0661\u0662"])
def test_what_is_no_port_is_refused(port: str) -> None:
    with pytest.raises(ValueError, match=r"^PORT must be a port, 1 to 65535, got "):
        check_port("127.0.0.1", port, "PORT")


@pytest.mark.parametrize(
    ("inside", "remedy"),
    [("", "PORT={other}"), ("1", "--env PORT={other} --publish 127.0.0.1:{other}:{other}")],
)
def test_a_port_in_use_names_another(
    inside: str, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IN_CONTAINER", inside)
    with socket.create_server(("127.0.0.1", 0)) as s:
        port = s.getsockname()[1]
        with pytest.raises(ValueError) as refused:
            check_port("127.0.0.1", str(port), "PORT")
    assert str(refused.value).endswith(
        "Address already in use; choose another port, for instance "
        + remedy.format(other=port % 65535 + 1)
    )


@pytest.mark.parametrize(
    ("inside", "remedy"), [("", "make setup-dev"), ("1", "--build-arg NOTEBOOK=1")]
)
def test_missing_modules_come_with_a_remedy(
    inside: str, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IN_CONTAINER", inside)
    with pytest.raises(ValueError, match="has no not_there and no nor_this;") as refused:
        check_modules(["json", "not_there", "nor_this"])
    assert remedy in str(refused.value)
