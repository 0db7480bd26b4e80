"""The learner: what an update does, when the target is copied, state out and in."""

from __future__ import annotations

import numpy as np
import pytest
from agents.learner import Learner, mirrored
from agents.td import double_q_learning, q_learning
from numpy.typing import NDArray

from agents.backend import keras
from agents.network import NetworkSpec
from agents.replay import Batch
from tests.support.networks import ACTIONS, OBSERVATION, learner_spec, random_batch, small_network

RATE = 1e-2
LINEAR = NetworkSpec(convolutions=(), dense=(), dueling=False)
MIRROR = np.array([0, 2, 1], np.int32)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def arrays(network: keras.Model) -> list[NDArray[np.float32]]:
    return [v.numpy().copy() for v in network.variables]


def same(one: list[NDArray[np.float32]], other: list[NDArray[np.float32]]) -> bool:
    return all((a == b).all() for a, b in zip(one, other, strict=True))


def test_the_target_is_copied_exactly_at_its_period() -> None:
    learner = Learner(small_network, double_q_learning, learner_spec(target_update_period=3), None)
    last_copy = arrays(learner.online)
    for update in range(1, 10):
        learner.learn(random_batch(4, seed=update), RATE, rng())
        assert learner.updates == update
        assert not same(arrays(learner.online), last_copy)
        if update % 3 == 0:
            last_copy = arrays(learner.online)
        assert same(arrays(learner.target), last_copy)


def test_several_updates_in_a_call_are_the_same_as_one_by_one() -> None:
    """With the copy to the target in the middle of a call."""
    one = Learner(small_network, double_q_learning, learner_spec(updates_per_call=1), None)
    many = Learner(small_network, double_q_learning, learner_spec(updates_per_call=5), None)
    batches = [random_batch(4, seed=s) for s in range(5)]
    singles = [one.learn(b, RATE, rng()) for b in batches]
    together = many.learn(Batch(*map(np.concatenate, zip(*batches, strict=True))), RATE, rng())
    assert many.updates == one.updates == 5
    for a, b in ((one.online, many.online), (one.target, many.target), (one.average, many.average)):
        for x, y in zip(arrays(a), arrays(b), strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        together.td_error, np.concatenate([s.td_error for s in singles]), rtol=1e-4, atol=1e-5
    )
    assert together.loss == pytest.approx(np.mean([s.loss for s in singles]), rel=1e-4)
    assert not same(arrays(many.target), arrays(many.online))


def test_the_average_follows_the_online_network() -> None:
    """A share of 10 / (updates + 10), and no less than the rate: 10/11, 10/12, 0.8, 0.8, ..."""
    learner = Learner(small_network, q_learning, learner_spec(average_rate=0.8), None)
    by_hand = arrays(learner.online)
    for update, share in enumerate([10 / 11, 10 / 12, 0.8, 0.8, 0.8]):
        learner.learn(random_batch(4, seed=update), RATE, rng())
        online = arrays(learner.online)
        by_hand = [a + share * (o - a) for a, o in zip(by_hand, online, strict=True)]
        for a, b in zip(arrays(learner.average), by_hand, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)
    driving = learner.driving_weights()
    for variable in learner.average.variables:
        np.testing.assert_array_equal(driving[variable.path], variable)


def test_weights_that_were_handed_out_stay_as_they_are() -> None:
    """They drive while the learner goes on."""
    learner = Learner(small_network, q_learning, learner_spec(), None)
    handed_out = learner.driving_weights()
    before = {name: array.copy() for name, array in handed_out.items()}
    learner.learn(random_batch(4), RATE, rng())
    for name, array in handed_out.items():
        np.testing.assert_array_equal(array, before[name])


def test_one_update_of_a_linear_network_by_hand() -> None:
    """Adam's first step goes by the learning rate against the sign of each gradient."""
    spec = learner_spec(batch_size=5, adam_epsilon=1e-7, gradient_clip_norm=1e6)
    learner = Learner(lambda: small_network(1, LINEAR), q_learning, spec, None)
    kernel, bias = (x.astype(np.float64) for x in learner.online.get_weights())
    batch = random_batch(5, seed=3)

    def inputs(pictures: NDArray[np.uint8]) -> NDArray[np.float64]:
        return pictures.transpose(0, 2, 3, 1).reshape(5, -1) / 255

    x, best = (
        inputs(batch.observation),
        (inputs(batch.next_observation) @ kernel + bias).max(axis=1),
    )
    value = (x @ kernel + bias)[np.arange(5), batch.action]
    td = batch.n_step_return + batch.discount * best - value
    huber = np.where(np.abs(td) <= 1, 0.5 * td**2, np.abs(td) - 0.5)
    at_output = np.zeros((5, ACTIONS))
    at_output[np.arange(5), batch.action] = -batch.weight * np.clip(td, -1, 1) / 5
    gradient = x.T @ at_output

    learned = learner.learn(batch, RATE, rng())
    np.testing.assert_allclose(learned.td_error, td, rtol=1e-4, atol=1e-5)
    assert learned.loss == pytest.approx((batch.weight * huber).mean(), rel=1e-4)
    norm = np.sqrt((gradient**2).sum() + (at_output.sum(axis=0) ** 2).sum())
    assert learned.gradient_norm == pytest.approx(norm, rel=1e-4)
    clear = np.abs(gradient) > 1e-4
    moved = learner.online.get_weights()[0] - kernel
    np.testing.assert_allclose(moved[clear], -RATE * np.sign(gradient[clear]), rtol=1e-2)


def test_long_gradients_are_shortened_before_adam_sees_them() -> None:
    """A hundredfold weight changes the reported norm, and with clipping not the step."""
    batch = random_batch(4)
    heavy = batch._replace(weight=batch.weight * 100)
    steps, norms = [], []
    for b in (batch, heavy):
        spec = learner_spec(gradient_clip_norm=1e-3, adam_epsilon=1e-2)
        learner = Learner(small_network, q_learning, spec, None)
        norms.append(learner.learn(b, RATE, rng()).gradient_norm)
        steps.append(arrays(learner.online))
    assert norms[1] == pytest.approx(100 * norms[0], rel=1e-3)
    for a, b in zip(*steps, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("mirror", [None, MIRROR], ids=["as it came", "mirrored"])
def test_state_goes_out_and_in_and_the_next_update_is_the_same_bit_for_bit(
    mirror: NDArray[np.int32] | None,
) -> None:
    spec = learner_spec(updates_per_call=2, target_update_period=3)
    learner = Learner(small_network, double_q_learning, spec, mirror)
    for s in range(4):
        learner.learn(random_batch(8, seed=s), RATE, np.random.default_rng(s))
    state = learner.get_state()
    other = Learner(lambda: small_network(9), double_q_learning, spec, mirror)
    other.learn(random_batch(8, seed=77), 0.3, rng())  # it has a past of its own
    other.set_state(state)
    assert other.updates == learner.updates == 8
    for s in range(2):
        results = [
            x.learn(random_batch(8, seed=50 + s), RATE / 2, np.random.default_rng(s))
            for x in (learner, other)
        ]
        np.testing.assert_array_equal(results[0].td_error, results[1].td_error)
    ours, theirs = learner.get_state(), other.get_state()
    assert ours.keys() == theirs.keys() == state.keys()
    for name, array in ours.items():
        np.testing.assert_array_equal(array, theirs[name], err_msg=name)
    moved = [n for n in state if (state[n] != ours[n]).any()]
    assert len(moved) > len(state) / 2


def test_mirrored_by_hand() -> None:
    pictures = np.arange(12, dtype=np.uint8).reshape(3, 1, 2, 2)  # [[0, 1], [2, 3]], ...
    batch = random_batch(3)._replace(
        observation=pictures.copy(),
        next_observation=pictures.copy() + 100,
        action=np.array([1, 1, 0], np.int32),
    )
    returns = batch.n_step_return.copy()
    seen = mirrored(batch, MIRROR, np.array([True, False, True]))
    assert seen.observation[:, 0].tolist() == [
        [[1, 0], [3, 2]],
        [[4, 5], [6, 7]],
        [[9, 8], [11, 10]],
    ]
    assert seen.next_observation[0, 0].tolist() == [[101, 100], [103, 102]]
    assert seen.next_observation[1, 0].tolist() == [[104, 105], [106, 107]]
    assert seen.action.tolist() == [2, 1, 0]
    np.testing.assert_array_equal(seen.n_step_return, returns)


def test_about_half_of_the_transitions_are_mirrored() -> None:
    """Seen through the TD errors: a transition's own, or that of its mirror image."""
    spec = learner_spec(batch_size=200)
    batch = random_batch(200)
    copies = [Batch._make(x.copy() for x in batch) for _ in range(3)]
    everything = mirrored(copies[0], MIRROR, np.ones(200, np.bool_))
    learners = [Learner(small_network, q_learning, spec, m) for m in (None, None, MIRROR)]
    straight = learners[0].learn(copies[1], RATE, rng()).td_error
    flipped = learners[1].learn(everything, RATE, rng()).td_error
    mixed = learners[2].learn(copies[2], RATE, rng()).td_error
    is_flipped = np.isclose(mixed, flipped, rtol=1e-4, atol=1e-5)
    is_straight = np.isclose(mixed, straight, rtol=1e-4, atol=1e-5)
    assert (is_flipped | is_straight).all()
    assert 70 < (is_flipped & ~is_straight).sum() < 130


def test_shapes() -> None:
    learner = Learner(small_network, q_learning, learner_spec(updates_per_call=3), None)
    learned = learner.learn(random_batch(12), RATE, rng())
    assert learned.td_error.shape == (12,)
    assert learned.td_error.dtype == np.float32
    assert learner.online.input_shape == (None, *OBSERVATION)
