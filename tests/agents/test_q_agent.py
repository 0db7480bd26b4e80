"""The agent: what an update does, when the target is copied, state out and in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import DDQN
import DQN
from agents.backend import keras
from agents.learning import mirrored
from agents.q_agent import NotFiniteError, QAgent
from agents.replay import Batch
from tests.support.networks import ACTIONS, OBSERVATION, random_batch, small_ddqn, small_dqn

LINEAR: dict[str, Any] = {"convolutions": (), "dense": (), "dueling": False}
MIRROR = np.array([0, 2, 1, 3, 4], np.int32)  # of the five stock actions


def arrays(network: keras.Model) -> list[NDArray[np.float32]]:
    return [v.numpy().copy() for v in network.variables]


def same(one: list[NDArray[np.float32]], other: list[NDArray[np.float32]]) -> bool:
    return all((a == b).all() for a, b in zip(one, other, strict=True))


def joined(batches: list[Batch]) -> Batch:
    return Batch(*map(np.concatenate, zip(*batches, strict=True)))


def test_the_agent_is_found_by_its_settings() -> None:
    assert QAgent.declared_for(DQN.Settings) is DQN.DQN
    assert QAgent.declared_for(DDQN.Settings) is DDQN.DDQN
    with pytest.raises(ValueError, match="no agent was declared for int"):
        QAgent.declared_for(int)


def test_the_target_is_copied_exactly_at_its_period() -> None:
    agent = small_dqn(target_update_period=3)
    last_copy = arrays(agent.online)
    for update in range(1, 10):
        agent.repeat(random_batch(4, seed=update))
        assert agent.updates == update
        assert not same(arrays(agent.online), last_copy)
        if update % 3 == 0:
            last_copy = arrays(agent.online)
        assert same(arrays(agent.target), last_copy)


def test_several_updates_in_a_call_are_the_same_as_one_by_one() -> None:
    """With the copy to the target in the middle of a call, and with weights."""
    one, many = small_ddqn(), small_ddqn(updates_per_tick=5)
    batches = [random_batch(4, seed=s) for s in range(5)]
    weights = [np.linspace(0.1, 1, 4, dtype=np.float32) + s for s in range(5)]
    singles = [one.repeat(b, w) for b, w in zip(batches, weights, strict=True)]
    td_error, metrics = many.repeat(joined(batches), np.concatenate(weights))
    assert many.updates == one.updates == 5
    for a, b in ((one.online, many.online), (one.target, many.target), (one.average, many.average)):
        for x, y in zip(arrays(a), arrays(b), strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(td_error, np.concatenate([t for t, _ in singles]), 1e-4, 1e-5)
    assert td_error.shape == (20,) and td_error.dtype == np.float32
    for name in ("loss", "gradient_norm", "td_error"):
        assert metrics[name] == pytest.approx(np.mean([m[name] for _, m in singles]), rel=1e-4)
    assert not same(arrays(many.target), arrays(many.online))


def test_the_average_follows_the_online_network() -> None:
    """A share of 10 / (updates + 10), and no less than the rate: 10/11, 10/12, 0.8, 0.8, ..."""
    agent = small_dqn(ema_rate=0.8)
    by_hand = arrays(agent.online)
    for update, share in enumerate([10 / 11, 10 / 12, 0.8, 0.8, 0.8]):
        agent.repeat(random_batch(4, seed=update))
        online = arrays(agent.online)
        by_hand = [a + share * (o - a) for a, o in zip(by_hand, online, strict=True)]
        for a, b in zip(arrays(agent.average), by_hand, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)
    driving = agent.actor_weights()
    for variable in agent.average.variables:
        np.testing.assert_array_equal(driving[variable.path], variable)


def test_weights_that_were_handed_out_stay_as_they_are() -> None:
    """They drive while the agent goes on."""
    agent = small_dqn()
    handed_out = agent.actor_weights()
    before = {name: array.copy() for name, array in handed_out.items()}
    agent.repeat(random_batch(4))
    for name, array in handed_out.items():
        np.testing.assert_array_equal(array, before[name])


def test_one_update_of_a_linear_network_by_hand() -> None:
    """Adam's first step goes by the learning rate against the sign of each gradient."""
    agent = small_dqn(**LINEAR, batch_size=5, adam_epsilon=1e-7, max_grad_norm=1e6)
    rate = agent.settings.learning.learning_rate
    kernel, bias = (x.astype(np.float64) for x in agent.online.get_weights())
    batch = random_batch(5, seed=3)

    def inputs(images: NDArray[np.uint8]) -> NDArray[np.float64]:
        return images.transpose(0, 2, 3, 1).reshape(5, -1) / 255

    x = inputs(batch.observation)
    best = (inputs(batch.next_observation) @ kernel + bias).max(axis=1)
    value = (x @ kernel + bias)[np.arange(5), batch.action]
    td = batch.n_step_return + batch.discount * best - value
    huber = np.where(np.abs(td) <= 1, 0.5 * td**2, np.abs(td) - 0.5)
    at_output = np.zeros((5, ACTIONS))
    at_output[np.arange(5), batch.action] = -np.clip(td, -1, 1) / 5
    gradient = x.T @ at_output

    td_error, metrics = agent.repeat(batch)
    np.testing.assert_allclose(td_error, td, rtol=1e-4, atol=1e-5)
    assert metrics["loss"] == pytest.approx(huber.mean(), rel=1e-4)
    assert metrics["td_error"] == pytest.approx(np.abs(td).mean(), rel=1e-4)
    assert metrics["learning_rate"] == rate
    norm = np.sqrt((gradient**2).sum() + (at_output.sum(axis=0) ** 2).sum())
    assert metrics["gradient_norm"] == pytest.approx(norm, rel=1e-4)
    clear = np.abs(gradient) > 1e-3
    moved = agent.online.get_weights()[0] - kernel
    np.testing.assert_allclose(moved[clear], -rate * np.sign(gradient[clear]), rtol=1e-2)


def test_long_gradients_are_shortened_before_adam_sees_them() -> None:
    """A hundredfold weight changes the reported norm, and with clipping not the step."""
    steps, norms = [], []
    for weight in (1, 100):
        agent = small_ddqn(max_grad_norm=1e-3, adam_epsilon=1e-2)
        _, metrics = agent.repeat(random_batch(4), np.full(4, weight, np.float32))
        norms.append(metrics["gradient_norm"])
        steps.append(arrays(agent.online))
    assert norms[1] == pytest.approx(100 * norms[0], rel=1e-3)
    for a, b in zip(*steps, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_the_step_size_falls_with_the_updates() -> None:
    agent = small_dqn(learning_rate=0.3, learning_rate_end=0.1, learning_rate_updates=2)
    rates = [agent.repeat(random_batch(4))[1]["learning_rate"] for _ in range(4)]
    assert rates == pytest.approx([0.3, 0.2, 0.1, 0.1])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_refused(value: float) -> None:
    batch = random_batch(4)
    batch.n_step_return[2] = value
    with pytest.raises(NotFiniteError, match=r"last 1 updates the mean loss is (nan|inf)"):
        small_dqn().repeat(batch)


@pytest.mark.parametrize(("make", "mirror"), [(small_dqn, True), (small_ddqn, False)])
def test_state_goes_out_and_in_and_the_next_update_is_the_same_bit_for_bit(
    make: Callable[..., QAgent[Any, Any]], mirror: bool
) -> None:
    def more(count: int) -> list[NDArray[np.float32]]:
        return [np.linspace(0.1, 1, count, dtype=np.float32)] if make is small_ddqn else []

    def new(seed: int) -> QAgent[Any, Any]:
        return make(updates_per_tick=2, target_update_period=3, mirror=mirror, seed=seed)

    agent, other = new(1), new(9)
    for s in range(4):
        agent.repeat(random_batch(8, seed=s), *more(8))
    other.repeat(random_batch(8, seed=77), *more(8))  # it has a past of its own
    state = agent.get_state()
    other.set_state(state)
    for name, rng in agent.generators.items():
        other.generators[name].bit_generator.state = rng.bit_generator.state
    assert other.updates == agent.updates == 8
    for s in range(2):
        batches = [random_batch(8, seed=50 + s) for _ in range(2)]  # mirrored in place
        ours, theirs = (
            a.repeat(b, *more(8))[0] for a, b in zip((agent, other), batches, strict=True)
        )
        np.testing.assert_array_equal(ours, theirs)
    one, two = agent.get_state(), other.get_state()
    assert one.keys() == two.keys() == state.keys()
    for name, array in one.items():
        np.testing.assert_array_equal(array, two[name], err_msg=name)
    learned = [n for n in state if n.startswith("learner/")]
    assert sum((state[n] != one[n]).any() for n in learned) > len(learned) / 2


def test_mirrored_by_hand() -> None:
    images = np.arange(12, dtype=np.uint8).reshape(3, 1, 2, 2)  # [[0, 1], [2, 3]], ...
    batch = random_batch(3)._replace(
        observation=images.copy(),
        next_observation=images.copy() + 100,
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
    batch = random_batch(200)
    copies = [Batch._make(x.copy() for x in batch) for _ in range(3)]
    everything = mirrored(copies[0], MIRROR, np.ones(200, np.bool_))
    agents = [small_dqn(batch_size=200, learning_starts=200, mirror=m) for m in (0, 0, 1)]
    straight, flipped, mixed = (
        agent.repeat(b)[0]
        for agent, b in zip(agents, (copies[1], everything, copies[2]), strict=True)
    )
    is_flipped = np.isclose(mixed, flipped, rtol=1e-4, atol=1e-5)
    is_straight = np.isclose(mixed, straight, rtol=1e-4, atol=1e-5)
    assert (is_flipped | is_straight).all()
    assert 70 < (is_flipped & ~is_straight).sum() < 130


def test_an_agent_fits_its_view() -> None:
    agent = small_dqn()
    assert agent.online.input_shape == (None, *OBSERVATION)
    assert agent.online.output_shape == (None, ACTIONS)
    assert len(agent.epsilon) == agent.settings.cars
