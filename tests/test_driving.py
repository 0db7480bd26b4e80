"""The greedy driver's second look, and that a weight file drives as the run did that it is from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import DDQN
from agents.network import mirror_averaged
from agents.weights import pack
from networks import ACTIONS, OBSERVATION, small_network
from racing.tracks import VALIDATION
from training.drivers import load_driver
from training.driving import DrivingNetwork, drive_greedily
from training.evaluation import drive
from training.session import make_card

MIRROR = np.array([0, 2, 1], np.int32)


def test_the_mean_of_both_views_by_hand() -> None:
    network = small_network(seed=3)
    rng = np.random.default_rng(1)
    pictures = rng.integers(256, size=(5, *OBSERVATION), dtype=np.uint8)  # [5, K, H, W]
    both = mirror_averaged(network, MIRROR)
    there, back = network(pictures).numpy(), network(pictures[..., ::-1].copy()).numpy()
    expected = [
        [(t[a] + b[MIRROR[a]]) / 2 for a in range(ACTIONS)]
        for t, b in zip(there, back, strict=True)
    ]
    np.testing.assert_allclose(both(pictures).numpy(), expected, rtol=1e-6)


def test_in_a_mirror_it_does_the_mirrored_thing() -> None:
    both = mirror_averaged(small_network(seed=3), MIRROR)
    pictures = np.random.default_rng(2).integers(256, size=(9, *OBSERVATION), dtype=np.uint8)
    seen_in_mirror = both(pictures[..., ::-1].copy()).numpy()
    np.testing.assert_allclose(both(pictures).numpy(), seen_in_mirror[:, MIRROR], rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("greedy_mirror", [False, True])
def test_a_weight_file_drives_as_in_validation(tmp_path: Path, greedy_mirror: bool) -> None:
    """The same track under the same camera, by way of its card."""
    settings = DDQN.Settings(cars=2, replay_decisions=10_000, greedy_mirror=greedy_mirror)
    trainer = DDQN.build(settings)
    weights, tracks = trainer.learner.driving_weights(), list(VALIDATION[:2])
    greedy = drive_greedily(trainer.spec, DrivingNetwork(trainer.spec), weights, tracks)
    path = tmp_path / "fresh.safetensors"
    path.write_bytes(pack(weights, make_card("DDQN", trainer.spec, settings, {})))
    driver = load_driver(str(path))
    assert [drive(driver, track, "fast") for track in tracks] == greedy.episodes
