"""The sum tree against a naive twin: a plain list of values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from agents.replay.sum_tree import SumTree

# Whole numbers add up without rounding, so that a mass on a border is on the same side for both.
whole = st.integers(0, 50).map(float)
changes = st.lists(st.lists(st.tuples(st.integers(0, 10**6), whole), max_size=12), max_size=8)


def naive_find(values: NDArray[np.float64], mass: float) -> int:
    """Walk along the values laid end to end."""
    for index, value in enumerate(values):
        if mass < value:
            return index
        mass -= value
    raise AssertionError("mass is not below the total")


@settings(max_examples=150)
@given(size=st.integers(1, 70), operations=changes)
def test_equals_a_plain_list(size: int, operations: list[list[tuple[int, float]]]) -> None:
    tree, twin = SumTree(size), np.zeros(size)
    for operation in operations:
        index = np.array([i % size for i, _ in operation], np.int64)
        value = np.array([v for _, v in operation], np.float64)
        tree.set(index, value)
        for i, v in zip(index, value, strict=True):  # where an index comes twice, the last counts
            twin[i] = v
        np.testing.assert_array_equal(tree.values(), twin)
        np.testing.assert_array_equal(tree.get(np.arange(size)), twin)
        assert tree.total == twin.sum()
        ends = np.cumsum(twin)
        masses = np.unique(np.concatenate([ends, ends - 0.5, ends - 1]))
        masses = masses[(masses >= 0) & (masses < tree.total)]
        if len(masses):
            found = tree.find(masses)
            np.testing.assert_array_equal(found, [naive_find(twin, m) for m in masses])


@settings(max_examples=150)
@given(
    values=st.lists(st.one_of(st.just(0.0), st.floats(1e-12, 1e12)), min_size=1, max_size=70),
    shares=st.lists(st.floats(0, 1), min_size=1, max_size=20),
)
def test_rounding_never_finds_what_has_no_value(values: list[float], shares: list[float]) -> None:
    tree = SumTree(len(values))
    tree.set(np.arange(len(values)), np.array(values))
    if not tree.total > 0:
        return
    mass = np.array([*shares, 1.0, np.nextafter(1.0, 0)]) * tree.total
    found = tree.find(mass)
    assert (found < len(values)).all()
    assert (np.array(values)[found] > 0).all()
    assert tree.total == pytest.approx(sum(values), rel=1e-12)


def test_one_number_for_many_indices() -> None:
    tree = SumTree(10)
    tree.set(np.arange(2, 7), 3.0)
    tree.set(np.array([4, 5]), 0.0)
    assert tree.values().tolist() == [0, 0, 3, 3, 0, 0, 3, 0, 0, 0]
    assert tree.total == 9
    tree.set(np.zeros(0, np.int64), 5.0)
    assert tree.total == 9


def test_what_find_is_given_stays_as_it_is() -> None:
    tree = SumTree(4)
    tree.set(np.arange(4), 1.0)
    mass = np.array([3.5, 0.5])
    tree.find(mass)
    assert mass.tolist() == [3.5, 0.5]
