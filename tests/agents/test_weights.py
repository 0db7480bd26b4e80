"""Weight files: what goes in comes out, and nothing else is believed."""

from __future__ import annotations

import json
import pickle
import resource
from pathlib import Path
from typing import Any

import h5py  # type: ignore[import-untyped]
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from agents.backend import keras
from agents.network import Weights, weights_of
from agents.weights import LARGEST_BYTES, WeightsError, pack, read_card, repack, unpack
from evaluation.drivers import load_driver
from tests.support.networks import ACTIONS, OBSERVATION, SMALL, random_batch, small_network


def card(**changes: Any) -> dict[str, Any]:
    network = {"convolutions": SMALL.convolutions, "dense": SMALL.dense, "dueling": SMALL.dueling}
    whole = {"network": network, "observation": OBSERVATION, "actions": ACTIONS, "agent": "test"}
    return whole | changes


def network_card(**changes: Any) -> dict[str, Any]:
    return card(network=card()["network"] | changes)


@pytest.fixture(scope="module")
def weights() -> Weights:
    return weights_of(small_network(5))


@pytest.fixture(scope="module")
def packed(weights: Weights) -> bytes:
    return pack(weights, card())


def error_of(tmp_path: Path, data: bytes) -> str:
    """Why a file is refused; it must be named."""
    path = tmp_path / "driver.safetensors"
    path.write_bytes(data)
    with pytest.raises(WeightsError) as caught:
        unpack(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


def test_round_trip(tmp_path: Path, packed: bytes) -> None:
    path = tmp_path / "driver.safetensors"
    path.write_bytes(packed)
    network, found = unpack(path)
    original, images = small_network(5), random_batch(6).observation
    np.testing.assert_array_equal(network(images), original(images))
    assert found == json.loads(json.dumps(card())) == read_card(path)


def test_another_card_leaves_the_weights(tmp_path: Path, packed: bytes, weights: Weights) -> None:
    path = tmp_path / "driver.safetensors"
    path.write_bytes(packed)
    path.write_bytes(repack(path, card(score=900)))
    network, found = unpack(path)
    assert found["score"] == 900
    for name, array in weights_of(network).items():
        np.testing.assert_array_equal(array, weights[name])


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        (network_card(dense=(32,)), "advantage"),
        (network_card(dense=(16, 16)), "dense_1"),
        (network_card(convolutions=((8, 3, 2),)), "conv_0"),
        (network_card(convolutions=()), "conv_0"),
        (network_card(dueling=False), "advantage"),
        (card(actions=6), "advantage"),
        (card(observation=(4, 8, 8)), "conv_0"),
        (card(observation=(2, 20, 20)), "dense_0"),
    ],
)
def test_weights_of_another_architecture(
    tmp_path: Path, weights: Weights, changed: dict[str, Any], named: str
) -> None:
    message = error_of(tmp_path, pack(weights, changed))
    assert "another architecture" in message
    assert named in message


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"network": card()["network"]},
        card(network=7),
        card(network={}),
        network_card(convolutions=[[4, 3]]),
        network_card(convolutions=[[4, 99, 2]]),
        network_card(convolutions=[[4, 3, 0]]),
        network_card(convolutions=[[-4, 3, 2]]),
        network_card(dense=["many"]),
        network_card(dense=[0]),
        network_card(dense=[float("inf")]),
        network_card(dense=[float("nan")]),
        network_card(dense=16),
        card(observation=[2, 8]),
        card(observation=None),
        card(observation=[2, -8, 8]),
        card(observation=["a", "b", "c"]),
        card(actions=0),
        card(actions="three"),
        card(actions=float("inf")),
    ],
    ids=str,
)
def test_a_card_that_describes_no_network(
    tmp_path: Path, weights: Weights, changed: dict[str, Any]
) -> None:
    error_of(tmp_path, pack(weights, changed))


@pytest.mark.parametrize(
    "changed",
    [
        network_card(dense=[2**42]),
        network_card(dense=[16] * 100 + [2**42]),
        network_card(convolutions=[[2**42, 3, 2]]),
        card(actions=2**42),
        card(observation=[2, 2**24, 2**24]),
    ],
    ids=["dense", "deep", "filters", "actions", "image"],
)
def test_a_card_of_a_network_too_large_for_any_memory(
    tmp_path: Path, weights: Weights, changed: dict[str, Any]
) -> None:
    error_of(tmp_path, pack(weights, changed))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_no_numbers(tmp_path: Path, weights: Weights, value: float) -> None:
    name = sorted(weights)[0]
    broken = weights | {name: weights[name].copy()}
    broken[name].flat[-1] = value
    assert name in error_of(tmp_path, pack(broken, card()))


def test_weights_of_another_type(tmp_path: Path, weights: Weights) -> None:
    for dtype in (np.float16, np.float64, np.int32):
        other = {name: array.astype(dtype) for name, array in weights.items()}
        assert "float32" in error_of(tmp_path, pack(other, card()))  # type: ignore[arg-type]


def test_weights_that_are_missing_or_too_many(tmp_path: Path, weights: Weights) -> None:
    name = sorted(weights)[0]
    fewer = {n: a for n, a in weights.items() if n != name}
    assert name in error_of(tmp_path, pack(fewer, card()))
    assert "guest" in error_of(tmp_path, pack(weights | {"guest": np.zeros(3, np.float32)}, card()))


def test_a_file_cut_short(tmp_path: Path, packed: bytes) -> None:
    for length in (0, 1, 7, 8, 9, 100, len(packed) // 2, len(packed) - 1):
        error_of(tmp_path, packed[:length])


def test_a_file_with_something_behind(tmp_path: Path, packed: bytes) -> None:
    error_of(tmp_path, packed + b"\0")


class Bomb:
    """What a pickle could do on loading."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return (exec, ("raise SystemExit('unpickled')",))


def test_other_kinds_of_files(tmp_path: Path) -> None:
    kinds = [
        pickle.dumps(Bomb()),
        pickle.dumps({"weights": [1.0, 2.0]}),
        b"\x89HDF\r\n\x1a\n" + bytes(200),
        b"PK\x03\x04" + bytes(200),
        b"{}",
        bytes(1000),
        b"\xff" * 1000,
    ]
    for data in kinds:
        assert "not a weight file" in error_of(tmp_path, data)


def test_real_files_of_others_that_could_run_or_read_something(tmp_path: Path) -> None:
    """A pickle, a Keras file with a Lambda layer, an HDF5 file that reaches into another: not even opened as such."""
    ran, secret = tmp_path / "ran", tmp_path / "secret.h5"

    def run(x: Any) -> Any:
        ran.touch()
        return x

    runs = keras.layers.Lambda(run, output_shape=(2,))
    keras.Sequential([keras.Input((2,)), runs]).save(tmp_path / "lambda.keras")
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(tmp_path / "whole.keras")
    with h5py.File(secret, "w") as file:
        file["weights"] = np.ones(3)
    with h5py.File(tmp_path / "link.h5", "w") as file:
        file["weights"] = h5py.ExternalLink(str(secret), "/weights")
    (tmp_path / "pickle").write_bytes(pickle.dumps(Bomb()))
    (tmp_path / "torch.pt").write_bytes(pickle.dumps({"state_dict": Bomb()}, protocol=2))
    ran.unlink(missing_ok=True)
    hostile = sorted(p for p in tmp_path.iterdir() if p != secret)
    assert {p.name for p in hostile} >= {"lambda.keras", "link.h5", "pickle", "whole.keras"}
    for path in hostile:
        assert "not a weight file" in error_of(tmp_path, path.read_bytes())
        with pytest.raises(ValueError, match=r"no driver .*use random"):
            load_driver(str(path))  # under its own name it is no driver at all
    assert not ran.exists()


def test_memory_stays_bounded(tmp_path: Path, packed: bytes) -> None:
    """Whatever a file claims: huge shapes, a huge network in the card, a sparse file of a terabyte."""

    def entry(*shape: int) -> bytes:
        size = 4 * int(np.prod(shape, dtype=object))
        tensor = {"dtype": "F32", "shape": shape, "data_offsets": [0, size]}
        metadata = {"format": "carracing-dqn-1", "card": json.dumps(card())}
        header = json.dumps({"__metadata__": metadata, "conv_0/kernel": tensor}).encode()
        return len(header).to_bytes(8, "little") + header

    weights = weights_of(small_network(5))
    claims = [entry(2**33), entry(2**20, 2**20), pack(weights, network_card(dense=[2**30, 2**30]))]
    path = tmp_path / "driver.safetensors"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for data in claims:
        error_of(tmp_path, data)
        with path.open("wb") as file:
            file.write(data)
            file.truncate(2**40)
        with pytest.raises(WeightsError, match="more than any weight file"):
            unpack(path)
        path.unlink()
    grown_mib = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown_mib < 100


def test_safetensors_of_somebody_else(tmp_path: Path, weights: Weights) -> None:
    text = json.dumps(card())
    for metadata in (None, {}, {"format": "pt"}, {"format": "carracing-dqn-1"}, {"card": text}):
        assert "not a weight file" in error_of(tmp_path, save(weights, metadata=metadata))
    for no_card in ("", "[]", "7", "{", "\udcff", "[" * 100_000):
        metadata = {"format": "carracing-dqn-1", "card": no_card}
        raw = json.dumps({"__metadata__": metadata}).encode()
        assert "not a weight file" in error_of(tmp_path, len(raw).to_bytes(8, "little") + raw)


@pytest.mark.parametrize("shape", [[2**40], [2**33, 2**33], [-1], [2**70]])
def test_a_header_that_declares_more_than_there_is(tmp_path: Path, shape: list[int]) -> None:
    entry = {"dtype": "F32", "shape": shape, "data_offsets": [0, 4 * abs(shape[0])]}
    metadata = {"format": "carracing-dqn-1", "card": json.dumps(card())}
    header = json.dumps({"__metadata__": metadata, "conv_0/kernel": entry}).encode()
    error_of(tmp_path, len(header).to_bytes(8, "little") + header + bytes(64))


def test_a_header_longer_than_the_file(tmp_path: Path) -> None:
    for length in (2**20, 2**40, 2**63, 2**64 - 1):
        error_of(tmp_path, length.to_bytes(8, "little") + b"{}" + bytes(100))


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "driver.safetensors"
    with path.open("wb") as file:
        file.truncate(LARGEST_BYTES + 1)
    with pytest.raises(WeightsError, match=f"{LARGEST_BYTES + 1} bytes"):
        unpack(path)


def test_no_file(tmp_path: Path) -> None:
    for path in (tmp_path / "nobody.safetensors", tmp_path):
        with pytest.raises(WeightsError, match=str(path)):
            unpack(path)


@settings(max_examples=100)
@given(at=st.integers(0, 10**6), bit=st.integers(0, 7), noise=st.binary(max_size=300))
def test_damage_anywhere_is_refused_or_harmless(
    tmp_path_factory: pytest.TempPathFactory,
    packed: bytes,
    at: int,
    bit: int,
    noise: bytes,
) -> None:
    """A flipped bit in a weight cannot be told from a weight; everything else is refused by name."""
    folder = tmp_path_factory.mktemp("damage")
    damaged = bytearray(packed)
    damaged[at % len(packed)] ^= 1 << bit
    for number, data in enumerate((bytes(damaged), noise, packed[:40] + noise)):
        path = folder / f"{number}.safetensors"
        path.write_bytes(data)
        try:
            network, _ = unpack(path)
        except WeightsError as e:
            assert str(path) in str(e)
        else:
            assert number == 0
            assert all(np.isfinite(w).all() for w in network.get_weights())
