"""The instruments: what is read off the official image is what the car does, and a mirror turns it round."""

from __future__ import annotations

import numpy as np
import pytest

from racing import gauges
from racing.gauges import Gauges
from racing.simulator import Simulator
from tests.support.driving import pursue

# A bar ends on a whole pixel of the official 1000x800 screen: these are two of them.
SPEED_STEP, STEERING_STEP, TURN_STEP = 5.0, 0.008, 0.1


def test_the_strip_tells_what_the_car_does() -> None:
    simulator = Simulator()
    simulator.start(8)
    seen, true = [], []
    for _ in range(200):
        simulator.drive(pursue(simulator, 45, sway=0.8))
        seen.append(gauges.read(simulator.draw()[-gauges.GAUGE_ROWS :]))
        true.append(gauges.measure(simulator.car))
    error = np.abs(np.array(seen) - np.array(true))
    assert (error.max(axis=0) <= (SPEED_STEP, STEERING_STEP, TURN_STEP)).all()
    # The drive itself showed each of them.
    assert (np.ptp(np.array(true), axis=0) > (30, 0.2, 1)).all()


@pytest.mark.parametrize(
    ("shown", "row", "pixels"),
    [
        (Gauges(55.0, 0.0, 0.0), 0, range(24, 72)),
        (Gauges(0.0, 0.21, 0.0), 4, range(24, 48)),
        (Gauges(0.0, -0.42, 0.0), 4, range(48, 96)),
        (Gauges(0.0, 0.0, -1.0), 8, range(48, 60)),
        (Gauges(0.0, 0.0, 99.0), 8, range(48)),
    ],
)
def test_bars_have_the_length_of_what_they_show(shown: Gauges, row: int, pixels: range) -> None:
    expected = np.zeros((gauges.GAUGE_ROWS, 96), np.uint8)
    expected[row : row + 4, list(pixels)] = 255
    np.testing.assert_array_equal(gauges.draw(shown), expected)


def test_half_a_pixel_is_half_as_bright() -> None:
    turn = gauges.FULL_TURN * 10.5 / 48
    assert gauges.draw(Gauges(0.0, 0.0, -turn))[8, 48 + 10] == 127


def test_a_mirror_turns_the_car_round() -> None:
    drawn = gauges.draw(Gauges(40.0, 0.3, -1.5))
    np.testing.assert_array_equal(drawn[:, ::-1], gauges.draw(Gauges(40.0, -0.3, 1.5)))
