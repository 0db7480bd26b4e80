"""An interrupt that comes where exceptions are lost; children and their children."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from system.processes import children_of, descendants_of
from tests.support.command_line import ROOT

SCRIPT = """
import os, signal, sys, time
from system.processes import interrupt_for_sure

class Body:
    def __del__(self):
        os.kill(os.getpid(), signal.{signum})
        for _ in range(1000):
            pass
        print("not reached")

interrupt_for_sure()
try:
    body = Body()
    del body
    time.sleep(60)
    print("lost")
except KeyboardInterrupt:
    print("heard")
"""

AGAIN = """
import time
from system.processes import act_again_if_lost

class GivenUp(Exception):
    pass

def give_up():
    raise GivenUp

class Body:
    def __del__(self):
        give_up()

act_again_if_lost(GivenUp, give_up)
try:
    body = Body()
    del body
    time.sleep(60)
    print("lost")
except GivenUp:
    print("heard")
"""


def test_what_is_lost_is_done_again() -> None:
    done = subprocess.run([sys.executable, "-c", AGAIN], cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("heard\n", "")


def test_it_is_raised_again() -> None:
    for signum in ("SIGINT", "SIGTERM"):
        command = [sys.executable, "-c", SCRIPT.format(signum=signum)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert (done.stdout, done.stderr) == ("heard\n", "")


def test_children_are_told_from_their_children() -> None:
    """The workers of a script that a test runs are not those of the test."""
    below = "import time; time.sleep(60)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {below!r}, 'spawn_' + 'main'])"
    with subprocess.Popen([sys.executable, "-c", code]) as child:
        end = time.monotonic() + 60
        while not (found := descendants_of(os.getpid(), "spawn_main")):
            assert time.monotonic() < end
            time.sleep(0.01)
        [grandchild] = found
        assert children_of(os.getpid()) == []
        assert children_of(child.pid) == [grandchild]
        os.kill(grandchild, 9)
