"""How else a run may end than by its last decision, and how else it may begin than with random weights."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from agents.weights import WeightsError
from system.files import sha256
from tests.support.corridor import StopAt, ddqn, dqn, drive_there
from tests.support.outcome import arrays_at, checkpoints, outcome
from training.runs.run_folder import RunFolder
from training.session import Outcome

pytestmark = pytest.mark.slow
EVERY = 480  # decisions between two validations
SHORT = 2 * EVERY  # decisions


def drive(folder: Path, **settings: Any) -> Outcome:
    return drive_there(ddqn(folder, **{"validate_every": EVERY, **settings}))


def means(run: Path) -> list[float]:
    with (run / "validation.csv").open(newline="") as file:
        return [float(row["mean"]) for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> list[float]:
    """Validation means of a run that goes to its last decision."""
    found = means(drive(tmp_path_factory.mktemp("whole")).run)
    assert len(found) == 6
    assert found[0] < max(found), "it learned nothing"
    return found


def test_a_score_that_is_good_enough_ends_it(tmp_path: Path, whole: list[float]) -> None:
    wanted = sorted(whole)[3]
    first = next(i for i, mean in enumerate(whole) if mean >= wanted)
    done = drive(tmp_path, until_score=wanted)
    assert done.finished
    assert done.decisions == (first + 1) * EVERY == checkpoints(done.run)[-1]
    assert means(done.run) == whole[: first + 1]
    again = drive_there(ddqn(tmp_path, validate_every=EVERY, until_score=wanted), run=done.run)
    assert (again.finished, again.decisions) == (True, done.decisions)
    longer = drive_there(ddqn(tmp_path, validate_every=EVERY), run=done.run)
    assert means(longer.run) == whole


def test_patience_counts_validations_without_a_new_best_over_resumes(tmp_path: Path) -> None:
    """Nothing is learned at a rate of 0, so the first validation stays the best."""
    still = {"learning_rate": 0.0, "validate_every": EVERY, "patience": 2}
    done = drive_there(ddqn(tmp_path, **still))
    assert (done.finished, done.decisions) == (True, 3 * EVERY)
    stop = StopAt(int(2.5 * EVERY))
    cut = drive_there(ddqn(tmp_path, **still), sinks=[stop], stop=stop)
    assert not cut.finished
    went_on = drive_there(ddqn(tmp_path, **still), run=cut.run)
    assert outcome(went_on.run) == outcome(done.run)


def test_hours_stop_it_and_it_goes_on(tmp_path: Path) -> None:
    stopped = drive(tmp_path, decisions=SHORT, hours=1e-7)
    assert not stopped.finished
    assert 0 < stopped.decisions == checkpoints(stopped.run)[-1] < SHORT
    status = json.loads((stopped.run / "status.json").read_text())
    assert status["state"] == "stopped"
    longer = ddqn(tmp_path, decisions=SHORT, validate_every=EVERY)
    went_on = drive_there(longer, run=stopped.run)
    assert went_on.finished
    assert outcome(went_on.run) == outcome(drive(tmp_path, decisions=SHORT).run)


def test_as_many_checkpoints_as_asked_for(tmp_path: Path) -> None:
    done = drive(tmp_path, decisions=SHORT, keep_checkpoints=100, checkpoint_every=240)
    assert checkpoints(done.run) == list(range(0, SHORT + 1, 240))
    one = drive(tmp_path, decisions=SHORT, keep_checkpoints=1, checkpoint_every=240)
    assert checkpoints(one.run) == [SHORT]


def test_learning_begins_with_given_weights(tmp_path: Path) -> None:
    """Until the first update the averaged weights, which drive, are those of the file."""
    best = drive(tmp_path, decisions=480).run / "best.safetensors"
    done = drive(tmp_path, weights=str(best), decisions=240, validate_every=48)
    first = arrays_at(done.run, checkpoints(done.run)[0])
    given = load_file(best)
    for name, array in given.items():
        for role in ("online", "target", "average"):
            np.testing.assert_array_equal(first[f"learner/{role}/{name}"], array)
    origin = RunFolder(done.run).origin()["weights"]
    assert origin == {"file": "best.safetensors", "sha256": sha256(best.read_bytes())}
    best.unlink()
    longer = ddqn(tmp_path, weights=str(best), decisions=480, validate_every=48)
    assert drive_there(longer, run=done.run).finished, "a resume needs no file"


def test_weights_that_do_not_fit_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    best = drive(tmp_path / "theirs", decisions=480).run / "best.safetensors"
    runs = tmp_path / "runs"
    for settings, message in (
        ({"dense": (16,)}, "its network is .*, the run's is"),
        ({"stack": 1}, "its observation is .*, the run's is"),
        ({"actions": "brisk"}, "its actions is stock, the run's is brisk"),
        ({"gauges": False}, "its gauges is True, the run's is False"),
        ({"weights": str(tmp_path / "none")}, "none: No such file"),
    ):
        with pytest.raises(WeightsError, match=message):
            drive(runs, **{"weights": str(best), **settings})
    with pytest.raises(WeightsError, match="network"):
        drive_there(dqn(runs, weights=str(best), dueling=False))
    assert not runs.exists()
