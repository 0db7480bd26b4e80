"""The Q-network's layers and heads, the loss, the schedules: against numbers worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from agents.backend import keras, tf
from agents.losses import huber
from agents.network import NetworkSpec, build_q_network, weight_shapes
from agents.schedules import Exploration, ladder, linear
from tests.support.networks import (
    ACTIONS,
    OBSERVATION,
    SMALL,
    random_batch,
    small_dqn,
    small_network,
)


def test_huber_by_hand() -> None:
    errors = tf.constant([0.0, 0.5, -0.5, 1.0, -1.0, 3.0, -4.0])
    np.testing.assert_allclose(huber(errors, 1.0), [0, 0.125, 0.125, 0.5, 0.5, 2.5, 3.5])
    np.testing.assert_allclose(huber(errors, 3.0), [0, 0.125, 0.125, 0.5, 0.5, 4.5, 7.5])


def test_dueling_head_is_value_plus_centred_advantage() -> None:
    model = small_network()
    parts = keras.Model(
        model.input, [model.get_layer("value").output, model.get_layer("advantage").output]
    )
    images = random_batch(5).observation
    value, advantage = (np.asarray(x) for x in parts(images))
    q = np.asarray(model(images))
    assert value.shape == (5, 1)
    assert q.shape == advantage.shape == (5, ACTIONS)
    np.testing.assert_allclose(q, value + advantage - advantage.mean(axis=1, keepdims=True), 1e-5)
    np.testing.assert_allclose(q.mean(axis=1), value[:, 0], rtol=1e-4, atol=1e-6)
    assert q.std(axis=1).min() > 0


def test_plain_head_has_no_value_layer() -> None:
    spec = NetworkSpec(convolutions=SMALL.convolutions, dense=SMALL.dense, dueling=False)
    plain = small_network(spec=spec)
    names = {layer.name for layer in plain.layers}
    assert {"value", "advantage"}.isdisjoint(names)
    assert plain.output_shape == (None, ACTIONS)


def test_initial_weights_depend_on_the_seed_alone() -> None:
    one, same, other = small_network(3), small_network(3), small_network(4)
    for a, b, c in zip(one.get_weights(), same.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.ndim == 1 or (a != c).any()  # biases begin at 0


def test_pixels_reach_the_network_as_shares_of_white() -> None:
    spec = NetworkSpec(convolutions=(), dense=(), dueling=False)
    linear_network = build_q_network(spec, OBSERVATION, ACTIONS, seed=0)
    kernel, bias = linear_network.get_weights()
    images = random_batch(4).observation
    flat = images.transpose(0, 2, 3, 1).reshape(4, -1) / 255
    np.testing.assert_allclose(linear_network(images), flat @ kernel + bias, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dueling", [False, True])
def test_shapes_are_known_before_a_network_is_made(dueling: bool) -> None:
    spec = NetworkSpec(convolutions=((4, 3, 2), (5, 2, 1)), dense=(16, 8), dueling=dueling)
    made = build_q_network(spec, OBSERVATION, ACTIONS, seed=0)
    assert weight_shapes(spec, OBSERVATION, ACTIONS) == {
        v.path: tuple(v.shape) for v in made.variables
    }


def test_a_kernel_that_does_not_fit_is_refused() -> None:
    spec = NetworkSpec(convolutions=((4, 6, 3), (4, 4, 2)), dense=(8,), dueling=True)
    with pytest.raises(ValueError, match=r"4x4 kernel does not fit into \(1, 1\)"):
        build_q_network(spec, OBSERVATION, ACTIONS, seed=0)


def test_online_target_and_average_start_equal() -> None:
    agent = small_dqn()
    for other in (agent.target, agent.average):
        for a, b in zip(agent.online.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)


def test_schedules_by_hand() -> None:
    assert [linear(c, 1.0, 0.2, 10) for c in (0, 5, 10, 99)] == pytest.approx([1, 0.6, 0.2, 0.2])
    assert linear(0, 1.0, 0.2, 0) == pytest.approx(0.2)
    np.testing.assert_allclose(ladder(0.4, 7, 3), [0.4, 0.4**4.5, 0.4**8])
    np.testing.assert_allclose(ladder(0.4, 7, 1), [0.4])


def test_exploration_by_hand() -> None:
    """From one rate for all to a ladder: 0.25, 0.25^1.5, 0.25^2 in the end."""
    exploration = Exploration(
        epsilon_start=1.0, epsilon_base=0.25, epsilon_exponent=1, epsilon_decisions=100
    )
    assert exploration.epsilon(0, 3).tolist() == [1, 1, 1]
    np.testing.assert_allclose(exploration.epsilon(50, 3), [0.625, 0.5625, 0.53125])
    np.testing.assert_allclose(exploration.epsilon(10**6, 3), [0.25, 0.125, 0.0625])
