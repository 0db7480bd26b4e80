"""Films of whole episodes, with what the driver thought drawn in."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from racing.actions import action_set
from racing.world import World
from training.drivers import Driver
from training.episode import Episode
from training.files import written_aside
from training.video import video

GIF_DECISIONS = (15, 90)  # from the first to the last
WIDTH, HEIGHT = 600, 400  # of Gymnasium's own film pictures
Picture = NDArray[np.uint8]  # RGB, [HEIGHT, WIDTH, 3]


def best_median_worst(episodes: list[Episode]) -> dict[str, int]:
    """The tracks of three episodes that tell how a driver is."""
    ranked = sorted(episodes, key=lambda e: e.score)
    picks = {"best": ranked[-1], "median": ranked[len(ranked) // 2], "worst": ranked[0]}
    return {name: episode.track for name, episode in picks.items()}


def pictures(driver: Driver, track: int, told: bool = True) -> Iterator[Picture]:
    """Drive a track under the official camera; one picture per decision, with text where `told`."""
    world, policy = World(driver.world, "official"), driver.policy(track)
    world.start(track)
    policy.reset()
    while not world.end_reason:
        observation = world.observation[None]  # [1, K, H, W]
        action = policy.act(observation)[0]
        step = world.decide(action)
        lines = [
            f"track {track}  score {world.score:6.1f}  speed {step.speed:4.0f}",
            _told(driver, action),
        ]
        if hasattr(policy, "values"):
            lines[1] += f"  value {policy.values(observation).max():5.1f}"
        picture = world.simulator.draw_large()
        yield _with_text(picture, lines) if told else picture


def _told(driver: Driver, action: NDArray[np.float64] | np.int64) -> str:
    controls = action_set(driver.world.actions).table[action] if driver.world.actions else action
    steer, gas, brake = np.asarray(controls)
    return f"steer {steer:+.2f}  gas {gas:.2f}  brake {brake:.2f}"


def _with_text(picture: Picture, lines: list[str]) -> Picture:
    drawn = np.ascontiguousarray(picture)
    for i, line in enumerate(lines):
        at = (10, 22 + 20 * i)
        for colour, width in (((0, 0, 0), 3), ((255, 255, 255), 1)):
            cv2.putText(drawn, line, at, cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, width, cv2.LINE_AA)
    return drawn


def write_mp4(driver: Driver, track: int, path: Path) -> None:
    """Film a whole episode.

    Raises:
        OSError: If the file cannot be written.
    """
    with video(path, (WIDTH, HEIGHT), 50 / driver.world.frame_skip) as show:
        for picture in pictures(driver, track):
            show(picture)


def write_gif(driver: Driver, track: int, path: Path) -> None:
    """A few seconds after the start, at half the size.

    Raises:
        OSError: If the file cannot be written.
    """
    taken = list(islice(pictures(driver, track, told=False), *GIF_DECISIONS))
    small = [
        Image.fromarray(cv2.resize(p, (WIDTH // 2, HEIGHT // 2), interpolation=cv2.INTER_AREA))
        for p in taken
    ]
    palette = [s.quantize(48, dither=Image.Dither.NONE) for s in small]
    duration = round(1000 * driver.world.frame_skip / 50)
    with written_aside(path) as aside:
        palette[0].save(aside, save_all=True, append_images=palette[1:], duration=duration, loop=0)
