"""Drive the test tracks with the PID controller; show or film what it sees.

python pid_control.py --csv results/pid.csv
python pid_control.py --tracks 3:4 --video pid.mp4
python pid_control.py --gains.kp 0.3 --gains.grip 90
"""

from __future__ import annotations

import system.startup  # isort: skip  # noqa: F401

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import tyro
from numpy.typing import NDArray

from agents.pid import REFERENCE, WORLD, PidGains, PidPolicy, Thought
from agents.pid_sight import AHEAD, ASIDE, COLUMNS, ROWS, TEXELS, Array, room_on_road
from cockpit.window import Window
from evaluation.drivers import acting
from evaluation.evaluation import summary_line
from evaluation.scores import write_episodes
from racing.driving import drive
from racing.episode import Episode, finished
from racing.spec import WorldSpec
from racing.tracks import parse_tracks
from racing.world import World
from reports.video import video
from system.exits import EXIT_STOPPED, exit_with_error, one_line_errors
from system.files import check_file
from system.processes import interrupt_for_sure
from system.progress import progress

PATH = tyro.conf.arg(metavar="PATH")
FRAMES_PER_SECOND = 50 / WORLD["frame_skip"]
SCALE = 8  # screen pixels per texel
PANEL = 64  # height of the text below, pixels
WIDTH, HEIGHT = COLUMNS * SCALE, ROWS * SCALE + PANEL
GREY, BLUE, RED, GREEN = (190, 190, 190), (60, 120, 255), (255, 50, 50), (80, 220, 80)  # RGB

Screen = NDArray[np.uint8]  # RGB, [HEIGHT, WIDTH, 3]


@dataclass(frozen=True)
class Options:
    """Drive with the PID controller: whole episodes, raw reward, official camera."""

    tracks: str = "test"
    """Tracks to drive: test, validation, or reset seeds FIRST:LAST (LAST excluded)."""
    episodes: int = 50
    """Number of tracks of a named set."""
    csv: Annotated[Path | None, PATH] = None
    """Write a CSV file with one row per episode."""
    video: Annotated[Path | None, PATH] = None
    """Film what the driver sees on every track, as one mp4."""
    show: bool = False
    """Show what the driver sees in a window, in real time."""
    gains: PidGains = field(default_factory=PidGains)
    """Gains of the controller."""


class WatchedPolicy(PidPolicy):
    """Shows every decision to somebody."""

    def __init__(self, gains: PidGains, watchers: list[Callable[[Screen], None]]) -> None:
        super().__init__(gains)
        self._watchers = watchers

    def act(self, observations: NDArray[np.uint8]) -> Array:
        """Controls, float64 [N, 3]; the first car is shown."""
        controls = super().act(observations)
        thought = self.drivers[0].thought
        if thought and self._watchers:
            screen = draw(thought, controls[0])
            for watch in self._watchers:
                watch(screen)
        return controls


def draw(thought: Thought, control: Array) -> Screen:
    """What the driver sees and means to do."""
    screen = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    size = (WIDTH, ROWS * SCALE)
    grey = cv2.resize(thought.view, size, interpolation=cv2.INTER_NEAREST)
    screen[: size[1]] = grey[..., None]
    road = (room_on_road(thought.view) > 0).astype(np.uint8)
    mask = np.asarray(cv2.resize(road, size, interpolation=cv2.INTER_NEAREST), np.uint8)
    edges, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(screen, edges, -1, GREEN, 2)
    for x, y in _pixels(thought.road):
        cv2.circle(screen, (x, y), 3, GREY, cv2.FILLED, cv2.LINE_AA)
    cv2.polylines(screen, [_pixels(thought.line)], False, BLUE, 3, cv2.LINE_AA)
    for x, y in _pixels(thought.targets):
        cv2.circle(screen, (x, y), 9, RED, 2, cv2.LINE_AA)
    straight, wanted = _pixels(np.array([[0.0, REFERENCE], [thought.error, REFERENCE]]))
    cv2.arrowedLine(screen, straight.tolist(), wanted.tolist(), RED, 3, cv2.LINE_AA, tipLength=0.3)
    steer, gas, brake = control
    for row, text in enumerate(
        (
            f"error {thought.error:+5.1f} units   speed {thought.speed:4.0f} of"
            f" {thought.target_speed:4.0f} units/s",
            f"steer {steer:+5.2f}   gas {gas:4.2f}   brake {brake:4.2f}",
        )
    ):
        at = (12, ROWS * SCALE + 26 + 26 * row)
        cv2.putText(screen, text, at, cv2.FONT_HERSHEY_DUPLEX, 0.65, (255,) * 3, 1, cv2.LINE_AA)
    return screen


def _pixels(points: Array) -> NDArray[np.int32]:
    """Points seen from the car on the screen, int32 [n, 2]."""
    return np.rint((points * [1, -1] + [ASIDE, AHEAD]) * TEXELS * SCALE).astype(np.int32)


def film(path: Path, stack: ExitStack) -> Callable[[Screen], None]:
    """Write screens to a video, which appears under its name when the stack closes without an error."""
    return stack.enter_context(video(path, (WIDTH, HEIGHT), FRAMES_PER_SECOND))


def window() -> Callable[[Screen], None]:
    """Open a window.

    Raises:
        ValueError: If there is no screen, saying what to do.
    """
    import pygame

    opened = Window((WIDTH, HEIGHT), "PID controller", "use --video PATH instead of --show")
    clock = pygame.time.Clock()

    def show(screen: Screen) -> None:
        if pygame.event.get(pygame.QUIT):
            exit_with_error("the window was closed", EXIT_STOPPED)
        pygame.event.pump()
        picture = pygame.image.frombuffer(screen.tobytes(), (WIDTH, HEIGHT), "RGB")
        opened.canvas.blit(picture, (0, 0))
        opened.flip()
        clock.tick(FRAMES_PER_SECOND)

    return show


def main(options: Options) -> None:
    """Drive and print."""
    interrupt_for_sure()
    watchers: list[Callable[[Screen], None]] = []
    episodes: list[Episode] = []
    with one_line_errors():
        tracks = parse_tracks(options.tracks, options.episodes)
        if options.video and options.video.suffix != ".mp4":
            raise ValueError(f"a video's name ends in .mp4, got {options.video}")
        for path in (options.csv, options.video):
            if path:
                check_file(path)
        policy = WatchedPolicy(options.gains, watchers)
        if options.show:
            watchers.append(window())
        with ExitStack() as stack:
            if options.video:
                watchers.append(film(options.video, stack))
            on_progress = stack.enter_context(progress("pid", "tracks"))
            for track in tracks:
                world = World(WorldSpec(**WORLD), "official")
                for _ in drive(world, track, acting(policy)):
                    on_progress(len(episodes), len(tracks))
                episodes.append(finished(world, track))
        if options.csv:
            write_episodes(options.csv, episodes)
    print(summary_line("pid", episodes), flush=True)


if __name__ == "__main__":
    main(tyro.cli(Options))
