"""Two trainers on one run of a mirror notice each other."""

from __future__ import annotations

import json
import os
import shutil
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from training.mirror import lease as leases
from training.mirror.lease import Lease, LeaseError, holder_of
from training.mirror.store import Store

RUN = "DDQN/race"


def lease_in(place: str) -> dict[str, object]:
    found = Store(place).read(f"{RUN}/lease.json")
    assert found is not None
    says: dict[str, object] = json.loads(found.data)
    return says


def test_a_second_trainer_is_refused_until_the_first_lets_go(place: str) -> None:
    one, other = (Lease(Store(place), RUN, name) for name in "ab")
    one.check_not_held()
    one.take()
    with pytest.raises(LeaseError) as e:
        other.take()
    assert f"is being trained by process {os.getpid()} on {socket.gethostname()} since 2" in str(
        e.value
    )
    one.renew()
    with pytest.raises(LeaseError):
        Lease(Store(place), RUN).check_not_held()
    one.release()
    other.take()
    assert lease_in(place)["holder"] == "b"
    with pytest.raises(LeaseError, match="was taken over by process"):
        one.renew()


def test_who_was_killed_is_followed_at_once_by_itself_and_later_by_others(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "EXPIRES_SECONDS", 2.0)
    Lease(Store(place), RUN, "a").take()
    Lease(Store(place), RUN, "a").take()  # the same run folder
    other = Lease(Store(place), RUN, "b")
    with pytest.raises(LeaseError, match=r"expires in \d s"):
        other.take()
    time.sleep(3.2)  # servers count whole seconds
    other.take()
    assert lease_in(place)["holder"] == "b"


def test_a_wrong_clock_here_changes_nothing(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Lease(Store(place), RUN, "a").take()
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 10**6)
    with pytest.raises(LeaseError):
        Lease(Store(place), RUN, "b").take()


def test_many_want_it_and_one_gets_it(place: str) -> None:
    def attempt(name: str) -> bool:
        try:
            Lease(Store(place), RUN, name).take()
        except LeaseError:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        won = list(pool.map(attempt, "abcdef"))
    assert sum(won) == 1
    assert lease_in(place)["holder"] == "abcdef"[won.index(True)]


def test_an_answer_that_was_lost_or_a_lease_that_was_deleted_is_no_loss(place: str) -> None:
    store, lease = Store(place), Lease(Store(place), RUN, "a")
    lease.take()
    found = store.read(f"{RUN}/lease.json")
    assert found is not None
    store.swap(f"{RUN}/lease.json", found.data + b" ", found.version)  # ours, and we do not know
    lease.renew()
    store.delete([f"{RUN}/lease.json"])
    lease.renew()
    assert lease_in(place)["holder"] == "a"


def test_the_holder_goes_with_the_folder_and_not_with_a_copy(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    assert holder_of(run) is None and not list(run.iterdir())
    holder = holder_of(run, make=True)
    assert holder == holder_of(run) == holder_of(run, make=True)
    shutil.copytree(run, tmp_path / "copy")
    assert holder_of(tmp_path / "copy") is None
    assert holder_of(tmp_path / "copy", make=True) != holder
    run.rename(tmp_path / "moved")
    assert holder_of(tmp_path / "moved") == holder
