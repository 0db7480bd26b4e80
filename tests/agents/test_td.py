"""TD errors, loss and network head against numbers worked by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from agents.learner import Learner
from agents.td import TdError, double_q_learning, huber, q_learning

from agents.backend import keras, tf
from agents.network import NetworkSpec, build_q_network
from agents.replay import Batch
from agents.schedules import ladder, linear
from tests.support.networks import (
    ACTIONS,
    OBSERVATION,
    SMALL,
    learner_spec,
    random_batch,
    small_network,
)

# Observations are numbered 0 to 5 by their only pixel; a network is a table of values per number.
ONLINE = np.array(
    [[1, 2, 3], [4, 5, 6], [-1, 0, 1], [2, 8, 4], [9, 1, 0], [0.5, 0.25, 3]], np.float32
)
TARGET = np.array([[0, 0, 0], [0, 0, 0], [0, 0, 0], [10, 1, 20], [3, 7, 5], [6, 2, 4]], np.float32)


def network(table: np.ndarray | tf.Variable) -> Callable[[tf.Tensor], tf.Tensor]:
    return lambda pictures: tf.gather(table, tf.cast(pictures[:, 0, 0, 0], tf.int32))


def numbered(numbers: list[int]) -> np.ndarray:
    return np.array(numbers, np.uint8).reshape(-1, 1, 1, 1)


BATCH = Batch(
    observation=numbered([0, 1, 2]),
    action=np.array([2, 0, 1], np.int32),
    n_step_return=np.array([1.0, -2.0, 0.5], np.float32),
    discount=np.array([0.5, 0.9, 0.0], np.float32),  # the third terminated
    next_observation=numbered([3, 4, 5]),
    weight=np.ones(3, np.float32),
    index=np.arange(3),
)
# Q-learning: the target network's highest value: 20, 7, 6.
#   1 + 0.5 * 20 - 3 = 8;  -2 + 0.9 * 7 - 4 = 0.3;  0.5 + 0 - 0 = 0.5
# Double Q-learning: the online network likes 1, 0, 2 best; the target rates these 1, 3, 4.
#   1 + 0.5 * 1 - 3 = -1.5;  -2 + 0.9 * 3 - 4 = -3.3;  0.5 + 0 - 0 = 0.5
BY_HAND = [(q_learning, [8.0, 0.3, 0.5]), (double_q_learning, [-1.5, -3.3, 0.5])]


@pytest.mark.parametrize(("td_error", "expected"), BY_HAND)
def test_td_error_by_hand(td_error: TdError, expected: list[float]) -> None:
    found = td_error(network(ONLINE), network(TARGET), BATCH).numpy()
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize(("td_error", "expected"), BY_HAND)
def test_only_the_value_of_the_action_taken_gets_a_gradient(
    td_error: TdError, expected: list[float]
) -> None:
    """The target is a constant: nothing flows into the next value, online or not."""
    online, target = tf.Variable(ONLINE), tf.Variable(TARGET)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(huber(td_error(network(online), network(target), BATCH), 1.0))
    into_online, into_target = tape.gradient(loss, [online, target])
    by_hand = np.zeros_like(ONLINE)
    for row, action, error in zip([0, 1, 2], BATCH.action, expected, strict=True):
        by_hand[row, action] = -np.clip(error, -1, 1)  # d huber / d value
    assert into_target is None
    np.testing.assert_allclose(tf.convert_to_tensor(into_online), by_hand, rtol=1e-5)


def test_huber_by_hand() -> None:
    errors = tf.constant([0.0, 0.5, -0.5, 1.0, -1.0, 3.0, -4.0])
    np.testing.assert_allclose(huber(errors, 1.0), [0, 0.125, 0.125, 0.5, 0.5, 2.5, 3.5])
    np.testing.assert_allclose(huber(errors, 3.0), [0, 0.125, 0.125, 0.5, 0.5, 4.5, 7.5])


def test_dueling_head_is_value_plus_centred_advantage() -> None:
    model = small_network()
    parts = keras.Model(
        model.input, [model.get_layer("value").output, model.get_layer("advantage").output]
    )
    pictures = random_batch(5).observation
    value, advantage = (np.asarray(x) for x in parts(pictures))
    q = np.asarray(model(pictures))
    assert value.shape == (5, 1)
    assert q.shape == advantage.shape == (5, ACTIONS)
    np.testing.assert_allclose(q, value + advantage - advantage.mean(axis=1, keepdims=True), 1e-5)
    np.testing.assert_allclose(q.mean(axis=1), value[:, 0], rtol=1e-4, atol=1e-6)
    assert q.std(axis=1).min() > 0


def test_plain_head_has_no_value_layer() -> None:
    plain = small_network(spec=NetworkSpec(SMALL.convolutions, SMALL.dense, dueling=False))
    names = {layer.name for layer in plain.layers}
    assert {"value", "advantage"}.isdisjoint(names)
    assert plain.output_shape == (None, ACTIONS)


def test_initial_weights_depend_on_the_seed_alone() -> None:
    one, same, other = small_network(3), small_network(3), small_network(4)
    for a, b, c in zip(one.get_weights(), same.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.ndim == 1 or (a != c).any()  # biases begin at 0


def test_pixels_reach_the_network_as_shares_of_white() -> None:
    linear_network = build_q_network(NetworkSpec((), (), False), OBSERVATION, ACTIONS, seed=0)
    kernel, bias = linear_network.get_weights()
    pictures = random_batch(4).observation
    flat = pictures.transpose(0, 2, 3, 1).reshape(4, -1) / 255
    np.testing.assert_allclose(linear_network(pictures), flat @ kernel + bias, rtol=1e-4, atol=1e-5)


def test_a_kernel_that_does_not_fit_is_refused() -> None:
    spec = NetworkSpec(convolutions=((4, 6, 3), (4, 4, 2)), dense=(8,), dueling=True)
    with pytest.raises(ValueError, match=r"4x4 kernel does not fit into \(1, 1\)"):
        build_q_network(spec, OBSERVATION, ACTIONS, seed=0)


def test_online_target_and_average_start_equal_however_the_networks_are_made() -> None:
    seeds = iter(range(3))
    learner = Learner(lambda: small_network(next(seeds)), q_learning, learner_spec(), None)
    for other in (learner.target, learner.average):
        for a, b in zip(learner.online.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)


def test_schedules_by_hand() -> None:
    assert [linear(c, 1.0, 0.2, 10) for c in (0, 5, 10, 99)] == pytest.approx([1, 0.6, 0.2, 0.2])
    assert linear(0, 1.0, 0.2, 0) == pytest.approx(0.2)
    np.testing.assert_allclose(ladder(0.4, 7, 3), [0.4, 0.4**4.5, 0.4**8])
    np.testing.assert_allclose(ladder(0.4, 7, 1), [0.4])
