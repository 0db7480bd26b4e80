"""A driver's colour can be told from the others', on light and on dark, by everybody."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from numpy.typing import NDArray

from reports.colours import DRIVERS, colours_of
from reports.report import ROWS

# How people see of whose three kinds of cones one is missing: linear RGB to linear RGB (Machado and others 2009).
SEEN_BY = {
    "most": np.eye(3),
    "protanopes": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopes": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopes": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
TO_XYZ = np.array(  # sRGB, IEC 61966-2-1
    [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
)
RACED_MOST = ("pid", "human", "dqn", "ddqn")
Vector = NDArray[np.float64]


def linear(colour: str) -> Vector:
    rgb = np.array(to_rgb(colour))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def luminance(colour: str) -> float:
    return float(TO_XYZ[1] @ linear(colour))


def contrast(one: str, other: str) -> float:
    """As WCAG defines it."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def lab(rgb: Vector) -> Vector:
    """CIELAB of a linear colour under D65."""
    ratio = TO_XYZ @ rgb / TO_XYZ.sum(axis=1)
    x, y, z = np.where(ratio > 0.008856, np.cbrt(ratio), 7.787 * ratio + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def difference(one: str, other: str, seen_by: str) -> float:
    """CIE76: about 2 can just be seen side by side."""
    seen = (np.clip(SEEN_BY[seen_by] @ linear(c), 0, 1) for c in (one, other))
    return float(np.linalg.norm(np.subtract(*map(lab, seen))))


def test_every_row_of_the_table_has_a_colour() -> None:
    assert {row.stem for row in ROWS} <= set(DRIVERS)


@pytest.mark.parametrize("colour", DRIVERS.values())
def test_a_colour_is_readable_on_light_and_on_dark(colour: str) -> None:
    assert contrast(colour, "#ffffff") >= 3
    assert contrast(colour, "#101418") >= 3


@pytest.mark.parametrize("seen_by", SEEN_BY)
def test_drivers_can_be_told_apart(seen_by: str) -> None:
    pairs = {
        (a, b): difference(DRIVERS[a], DRIVERS[b], seen_by) for a, b in combinations(DRIVERS, 2)
    }
    assert min(pairs.values()) > 10, min(pairs, key=lambda p: pairs[p])
    assert min(pairs[p] for p in combinations(RACED_MOST, 2)) > 16
    assert difference("#00aa00", "#996600", "deuteranopes") < 12, "the measure knows red-green"


def test_colours_are_given_once() -> None:
    assert colours_of(["ddqn", "pid"]) == [DRIVERS["ddqn"], DRIVERS["pid"]]
    eight = colours_of(["best", "ddqn", "last", "ddqn", "pid", "human", "a", "b"])
    assert len(set(eight)) == 8
    assert (eight[1], eight[4], eight[5]) == (DRIVERS["ddqn"], DRIVERS["pid"], DRIVERS["human"])
    assert len(set(colours_of(map(str, range(10))))) == 10
