"""The hand-written driver: what it sees, its loops, and that it gets round."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from numpy.typing import NDArray

import pid_control
from agents.pid import (
    DT,
    HALF_WIDTH,
    WORLD,
    Pid,
    PidGains,
    PidPolicy,
    racing_line,
    speed_for_line,
)
from agents.pid_sight import flatten, room_on_road
from evaluation.drivers import load_driver
from evaluation.evaluation import drive
from racing.spec import WorldSpec
from racing.tracks import VALIDATION
from racing.world import World
from system.exits import EXIT_STOPPED

GRASS, ROAD, HULL = 165, 102, 61
ZOOMED_IN = round(1.2 / DT)  # decisions after which the camera stands


def straight_road(shift: int = 0) -> NDArray[np.uint8]:
    """An image of a straight road, moved to the right by pixels: one car, one image, [1, 1, 96, 96]."""
    image = np.full((96, 96), GRASS, np.uint8)
    image[:, 38 + shift : 58 + shift] = ROAD
    image[67:77, 46:50] = HULL
    return image[None, None]


def steer_after(*images: NDArray[np.uint8]) -> float:
    """Steering after images, with the first one repeated until the camera stands."""
    policy = PidPolicy()
    for image in (*[images[0]] * ZOOMED_IN, *images):
        controls = policy.act(image)
    return float(controls[0, 0])


def bend(radius: float) -> NDArray[np.float64]:
    """The middle of a road that bends to the right, points 2 units apart, [20, 2]."""
    angle = np.arange(20) * 2 / radius
    return radius * np.stack([1 - np.cos(angle), np.sin(angle)], axis=1)


def test_a_straight_road_needs_no_steering_and_gets_gas() -> None:
    policy = PidPolicy()
    for _ in range(ZOOMED_IN):
        controls = policy.act(straight_road())
    assert controls.shape == (1, 3)
    steer, gas, brake = controls[0]
    assert abs(steer) < 0.02
    assert gas > 0.5
    assert brake == 0


def test_it_steers_to_where_the_road_is() -> None:
    left = steer_after(straight_road(), straight_road(-3), straight_road(-3))
    right = steer_after(straight_road(), straight_road(3), straight_road(3))
    assert left < -0.05
    assert right > 0.05


def test_the_middle_of_the_road_is_found_within_half_a_unit() -> None:
    policy = PidPolicy()
    for _ in range(ZOOMED_IN):
        policy.act(straight_road(4))
    thought = policy.drivers[0].thought
    assert thought is not None
    assert len(thought.road) > 15
    np.testing.assert_allclose(thought.road[:, 0], 4 / 1.5552, atol=0.5)


def test_grass_has_no_room_and_the_road_has() -> None:
    room = room_on_road(flatten(straight_road()[0, 0], seconds=2.0))
    assert room[10, 5] == 0
    assert room[10, 46] == pytest.approx(6.0, abs=0.5)


def test_speed_is_measured_from_images() -> None:
    world, policy = World(WorldSpec(**WORLD)), PidPolicy()
    world.reset(VALIDATION[0])
    for _ in range(60):
        true = float(world.simulator.car.hull.linearVelocity.length)
        world.step(policy.act(world.observation[None])[0])
    thought = policy.drivers[0].thought
    assert thought is not None
    assert true > 30
    assert thought.speed == pytest.approx(true, abs=0.15 * true)


def test_proportional() -> None:
    assert Pid(0.5, 0, 0, 1).output(0.6) == pytest.approx(0.3)


def test_the_integral_counts_time_in_seconds() -> None:
    pid = Pid(0, 2.0, 0, 10)
    for _ in range(round(1 / DT) + 1):  # the first output still knows nothing of the past
        output = pid.output(0.25)
    assert output == pytest.approx(2.0 * 0.25 * 1.0)


def test_the_derivative_counts_time_in_seconds() -> None:
    pid = Pid(0, 0, 0.1, 1)
    assert pid.output(0.0) == 0
    assert pid.output(3 * DT) == pytest.approx(0.1 * 3)


def test_the_integral_does_not_wind_up_at_the_stop() -> None:
    pid = Pid(1.0, 1.0, 0, 0.5)
    for _ in range(500):
        assert pid.output(5.0) == 1.0
    assert pid.output(0.0) == 0.0


def test_the_integral_keeps_to_its_limit() -> None:
    pid = Pid(0, 1.0, 0, 0.2)
    for _ in range(1000):
        pid.output(0.5)
    assert pid.output(0.0) == pytest.approx(0.2)


def test_reset_forgets() -> None:
    policy = PidPolicy()
    images = [straight_road(shift) for shift in (0, 1, 2, 3, 3, 2)] * 4
    first = [policy.act(image) for image in images]
    policy.reset()
    again = [policy.act(image) for image in images]
    np.testing.assert_array_equal(first, again)


def test_cars_of_a_batch_do_not_know_of_each_other() -> None:
    together, left, right = PidPolicy(), PidPolicy(), PidPolicy()
    for shift in (0, 1, 2, 3) * 5:
        both = np.concatenate([straight_road(-shift), straight_road(shift)])
        controls = together.act(both)
        np.testing.assert_array_equal(controls[:1], left.act(both[:1]))
        np.testing.assert_array_equal(controls[1:], right.act(both[1:]))


@pytest.mark.parametrize(
    ("name", "value"),
    [("kp", -1.0), ("kd", float("nan")), ("top_speed", 0.0), ("far_share", 1.5), ("margin", 9.0)],
)
def test_gains_that_cannot_drive_are_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        PidPolicy(PidGains(**{name: value}))


def test_the_line_keeps_its_margin_and_bends_less_than_the_road() -> None:
    gains = PidGains(margin=3.0, centring=0.001)
    road = bend(15)
    line = racing_line(road, gains)
    assert np.hypot(*(line - road).T).max() <= HALF_WIDTH - 3.0 + 1e-9
    assert np.abs(np.diff(line, 2, axis=0)).max() < np.abs(np.diff(road, 2, axis=0)).max()


def test_sharper_bends_are_slower() -> None:
    gains = PidGains()
    speeds = [speed_for_line(bend(radius), gains) for radius in (12, 20, 40)]
    assert speeds == sorted(speeds)
    assert speeds[0] < speeds[-1] <= gains.top_speed
    assert speeds[0] == pytest.approx((gains.grip * 12) ** 0.5, rel=0.2)


def test_what_it_sees_is_drawn() -> None:
    policy = PidPolicy()
    for _ in range(ZOOMED_IN):
        control = policy.act(straight_road(6))[0]
    thought = policy.drivers[0].thought
    assert thought is not None
    screen = pid_control.draw(thought, control)
    assert screen.shape == (pid_control.HEIGHT, pid_control.WIDTH, 3)
    for colour in (pid_control.GREEN, pid_control.BLUE, pid_control.RED):
        assert (screen == colour).all(axis=-1).any()


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--episodes", "0"], "episodes must be"),
        (["--tracks", "moon"], "tracks must be"),
        (["--video", "film.avi"], "ends in .mp4"),
        (["--csv", "no/such/folder/pid.csv"], "cannot write"),
        (["--video", "/proc/pid.mp4"], "cannot write"),
        (["--show"], "there is no screen"),
        (["--gains.kp", "nan"], "kp must be a number of at least 0, got nan"),
    ],
)
def test_bad_input_is_refused_in_one_line(
    arguments: list[str], problem: str, tmp_path: Path
) -> None:
    script = Path(pid_control.__file__)
    no_screen = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    command = [sys.executable, str(script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=no_screen)
    assert done.returncode == 2
    assert problem in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_film_appears_only_when_it_is_finished(tmp_path: Path) -> None:
    path = tmp_path / "pid.mp4"
    screen = np.zeros((pid_control.HEIGHT, pid_control.WIDTH, 3), np.uint8)
    with pytest.raises(KeyboardInterrupt), ExitStack() as stack:
        pid_control.film(path, stack)(screen)
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []
    with ExitStack() as stack:
        watch = pid_control.film(path, stack)
        for _ in range(5):
            watch(screen)
    assert list(tmp_path.iterdir()) == [path]
    frames, seconds = imageio_ffmpeg.count_frames_and_secs(str(path))
    assert frames == 5
    assert seconds == pytest.approx(5 / pid_control.FRAMES_PER_SECOND, abs=0.01)


def test_a_stop_leaves_nothing_behind(tmp_path: Path) -> None:
    """Ctrl-C reaches the encoder too."""
    options = ["--video", str(tmp_path / "pid.mp4"), "--csv", str(tmp_path / "pid.csv")]
    process = subprocess.Popen(
        [sys.executable, pid_control.__file__, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while not list(tmp_path.iterdir()):  # the film has begun
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    assert process.communicate(timeout=100) == ("", "")
    assert process.returncode == EXIT_STOPPED
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_it_gets_round() -> None:
    driver = load_driver("pid")
    episodes = [drive(driver, track, "fast") for track in VALIDATION[:3]]
    assert np.mean([episode.score for episode in episodes]) > 850
    assert sum(episode.laps for episode in episodes) >= 2


@pytest.mark.slow
def test_a_drive_is_filmed_and_recorded(tmp_path: Path) -> None:
    video, csv = tmp_path / "pid.mp4", tmp_path / "pid.csv"
    arguments = ["--tracks", "10000:10001", "--video", str(video), "--csv", str(csv)]
    script = Path(pid_control.__file__)
    done = subprocess.run(
        [sys.executable, str(script), *arguments], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("pid: 1 episodes, mean")
    assert video.stat().st_size > 50_000
    assert len(csv.read_text().splitlines()) == 2
    assert sorted(tmp_path.iterdir()) == [csv, video]
