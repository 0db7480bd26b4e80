"""Checks that a script or server can start: that modules are installed, and that a port is free.

python -P -m system.preflight MODULE[,MODULE...] [ADDRESS PORT VARIABLE]
"""

from __future__ import annotations

import os
import socket
import sys
from importlib.util import find_spec

from system.exits import exit_with_error


def check_modules(modules: list[str]) -> None:
    """Check that modules are installed.

    Args:
        modules: Names of top-level modules.

    Raises:
        ValueError: If some are missing; the message names them and says how to install them.
    """
    missing = [name for name in modules if find_spec(name) is None]
    if not missing:
        return
    remedy = "run 'make setup', and for notebooks 'make setup-dev'"
    if os.environ.get("IN_CONTAINER"):
        remedy = "for notebooks, build the image with --build-arg NOTEBOOK=1"
    raise ValueError(f"{sys.executable} has no {' and no '.join(missing)}; {remedy}")


def check_port(address: str, port: str, variable: str) -> None:
    """Check that a server can listen on a port.

    Args:
        address: IPv4 address to listen on.
        port: The port, as the user wrote it.
        variable: The environment variable that sets it, for the message.

    Raises:
        ValueError: If it is not a port number, or this process cannot listen on it.
    """
    if not (port.isascii() and port.isdecimal() and 0 < int(port) < 65536):
        raise ValueError(f"{variable} must be a port, 1 to 65535, got {port!r}")
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind((address, int(port)))
            s.listen()
        except OSError as e:
            other = int(port) % 65535 + 1
            choice = f"{variable}={other}"
            if os.environ.get("IN_CONTAINER"):
                choice = f"--env {choice} --publish 127.0.0.1:{other}:{other}"
            raise ValueError(
                f"cannot listen on {address}:{port}: {e.strerror};"
                f" choose another port, for instance {choice}"
            ) from None


if __name__ == "__main__":
    try:
        modules, *server = sys.argv[1:]
        check_modules(modules.split(","))
        if server:
            check_port(*server)
    except ValueError as problem:
        exit_with_error(problem)
