"""Action sets: what an index does, and its mirror image."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

from racing.actions import ACTION_SETS, ActionSet, action_set
from racing.simulator import Simulator

every_set = pytest.mark.parametrize("actions", ACTION_SETS.values(), ids=lambda a: a.name)


@every_set
def test_mirror_is_an_involution(actions: ActionSet) -> None:
    mirror = actions.mirror
    np.testing.assert_array_equal(mirror[mirror], np.arange(len(actions)))


@every_set
def test_mirror_turns_the_other_way_and_keeps_the_pedals(actions: ActionSet) -> None:
    seen = actions.table[actions.mirror]
    np.testing.assert_array_equal(seen[:, 0], -actions.table[:, 0])
    np.testing.assert_array_equal(seen[:, 1:], actions.table[:, 1:])


@every_set
def test_controls_are_within_the_simulators_range(actions: ActionSet) -> None:
    space = gymnasium.spaces.Box(np.array([-1, 0, 0]), np.array([1, 1, 1]), dtype=np.float64)
    assert all(space.contains(control) for control in actions.table)
    assert len(np.unique(actions.table, axis=0)) == len(actions)
    assert action_set(actions.name) is actions


def test_by_hand() -> None:
    np.testing.assert_array_equal(action_set("brisk").mirror[:9], [0, 2, 1, 3, 4, 6, 5, 8, 7])
    np.testing.assert_array_equal(action_set("stock").mirror, [0, 2, 1, 3, 4])


def test_a_set_without_its_mirror_image_is_refused() -> None:
    one_way = ActionSet("one way", ((0.0, 1.0, 0.0), (0.5, 0.0, 0.0)))
    with pytest.raises(ValueError):
        _ = one_way.mirror


def test_an_unknown_set_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"brisk, stock.*'hasty'"):
        action_set("hasty")


@pytest.mark.parametrize("action", range(5))
def test_the_stock_set_is_gymnasiums(action: int) -> None:
    """The same frames as Gymnasium's own discrete environment."""
    plain = gymnasium.make("CarRacing-v3", continuous=False).unwrapped
    plain.reset(seed=2)
    simulator = Simulator()
    simulator.start(2)
    for turn in range(8):  # in between, gas: standing still, nothing else shows
        index = 3 if turn % 2 else action
        _, reward, *_ = plain.step(index)
        assert simulator.drive(action_set("stock").table[index])[0] == reward
        theirs = plain.car.hull  # type: ignore[attr-defined]
        ours = simulator.car.hull
        assert (ours.position, ours.angle) == (theirs.position, theirs.angle)
    plain.close()
