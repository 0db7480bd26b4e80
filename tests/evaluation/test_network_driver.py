"""A network drives alone as it drives among others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from agents.backend import tf
from agents.network import NetworkSpec, build_q_network, weights_of
from agents.weights import pack
from evaluation.drivers import load_driver
from evaluation.evaluation import drive, evaluate
from evaluation.network_driver import NetworkDriver
from evaluation.split import PLACES
from tests.support.networks import ACTIONS, OBSERVATION, small_network

SPEC = NetworkSpec(convolutions=((8, 4, 2),), dense=(32,), dueling=True)
TRACKS = [30, 32, 41]


@pytest.fixture
def driver() -> NetworkDriver:
    return NetworkDriver(small_network())


def test_values_are_the_networks(driver: NetworkDriver) -> None:
    images = np.random.default_rng(0).integers(256, size=(3, *OBSERVATION), dtype=np.uint8)
    expected = small_network()(tf.constant(images)).numpy()
    np.testing.assert_allclose(driver.values(images, [7, 2, 12]), expected, rtol=1e-5, atol=1e-6)
    assert expected.shape == (3, ACTIONS)


def test_a_tracks_values_depend_on_nobody_else(driver: NetworkDriver) -> None:
    """To the last bit, whoever is beside it."""
    rng = np.random.default_rng(1)
    image = rng.integers(256, size=(1, *OBSERVATION), dtype=np.uint8)
    for track in range(20, 20 + PLACES):
        alone = driver.values(image, [track])
        for count in range(1, PLACES):
            others = [track + 1 + i for i in range(count)]
            crowd = rng.integers(256, size=(count, *OBSERVATION), dtype=np.uint8)
            together = driver.values(np.concatenate([crowd, image]), [*others, track])
            np.testing.assert_array_equal(together[-1:], alone)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_network_scores_the_same_however_its_tracks_are_split(tmp_path: Path) -> None:
    """Alone, in step, in one process and in two, and among other tracks."""
    path = tmp_path / "net.safetensors"
    card = {
        "network": {"convolutions": SPEC.convolutions, "dense": SPEC.dense, "dueling": True},
        "observation": (2, 16, 16),
        "actions": 5,
        "world": {"height": 16, "width": 16, "stack": 2, "frame_skip": 4, "actions": "stock"},
    }
    path.write_bytes(pack(weights_of(build_q_network(SPEC, (2, 16, 16), 5, seed=3)), card))
    together = evaluate(str(path), TRACKS, "fast", 1)
    assert [e.track for e in together] == TRACKS
    assert evaluate(str(path), [33, *TRACKS], "fast", 2)[1:] == together
    loaded = load_driver(str(path))
    assert [drive(loaded, track, "fast") for track in TRACKS[2:]] == together[2:]
