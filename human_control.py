"""Drive the test tracks yourself, against the clock or a trained agent's ghost.

python human_control.py
python human_control.py --ghost models/ddqn.safetensors --agents-view

Tracks come in order, and you continue where you stopped. Your first key starts the clock. Every finished episode
becomes a row of the CSV.
"""

from __future__ import annotations

import system.startup  # isort: skip  # noqa: F401

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from gymnasium.envs.box2d.car_racing import FPS

from cockpit.controls import Command, Controls, touched
from cockpit.dashboard import Dashboard
from cockpit.window import virtual_display
from evaluation.drivers import Driver, load_driver
from evaluation.evaluation import frame_by_frame, summary_line
from evaluation.scores import read_episodes, write_episodes
from racing.driving import drive
from racing.episode import Episode, finished
from racing.spec import WorldSpec
from racing.tracks import parse_tracks
from racing.world import World
from reports.recording import Recorder, Recording, write_recording
from system.exits import EXIT_FAILED, exit_with_error
from system.files import check_file, check_folder
from system.processes import interrupt_for_sure

HERE = Path(__file__).resolve().parent
COUNTDOWN_SECONDS = 3
WORLD = WorldSpec(frame_skip=1, actions="")  # a person decides every frame, continuously
AGENT_FRAMES = 4  # an agent looks every fourth frame
SCREEN = (1600, 1000)  # of a virtual display
NO_SCREEN = "use a machine with a screen, or --virtual-display"


@dataclass(frozen=True)
class Options:
    """Drive with the arrow keys, WASD or a gamepad: raw reward, up to 1000 frames, no early termination."""

    tracks: str = "test"
    """Tracks to drive: test, validation, or reset seeds FIRST:LAST (LAST excluded)."""
    episodes: int = 50
    """Number of tracks of a named set."""
    csv: Annotated[Path, tyro.conf.arg(metavar="PATH")] = HERE / "results" / "scores" / "human.csv"
    """CSV file to add finished episodes to; their recordings go to recordings/ next to it. Tracks that it already has
    are skipped."""
    ghost: Annotated[str, tyro.conf.arg(metavar="DRIVER")] = ""
    """Race against a driver of evaluate.py on the same track: a weight file, or pid."""
    agents_view: bool = False
    """Show what an agent would see, next to the road (key V)."""
    virtual_display: bool = False
    """Open the window on a virtual display (needs Xvfb)."""


class Race:
    """Episodes in one window."""

    def __init__(self, ghost: Driver | None, agents_view: bool) -> None:
        self._dashboard = Dashboard(agents_view, NO_SCREEN)
        self._controls = Controls()
        self._ghost_driver = ghost
        self._world = World(WORLD)
        self._ghost: World | None = None
        self._where = ""

    def drive(self, track: int, where: str, save: Callable[[Episode, Recording], None]) -> Command:
        """A whole episode, saved as soon as it is over.

        Returns:
            What comes next: GO_ON with another track, RESTART this one (which was not finished), or QUIT.
        """
        self._where = where
        self._world.reset(track)
        self._controls.centre()
        frames = frame_by_frame(self._ghost_driver, track) if self._ghost_driver else iter(())
        self._ghost = next(
            frames, None
        )  # its first frame: what is slow, is so before the clock runs
        for left in range(COUNTDOWN_SECONDS * FPS, 0, -1):
            command = self._frame(str(-(-left // FPS)))
            if command in (Command.RESTART, Command.QUIT):
                return command
        while not touched(self._controls.read()):  # nobody at the keys, nothing recorded
            command = self._frame("Your first key starts the clock")
            if command in (Command.RESTART, Command.QUIT):
                return command
        self._controls.centre()
        recorder = Recorder()
        for _ in drive(self._world, None, lambda _: self._controls.read(), render=False):
            recorder.note(self._world.simulator)
            command = self._frame()
            if command in (Command.RESTART, Command.QUIT):
                return command
            next(frames, None)
        episode = finished(self._world, track)
        save(episode, recorder.end("person", episode))
        while command not in (Command.GO_ON, Command.QUIT):
            command = self._frame(_told(episode))
        return command

    def _frame(self, message: str = "") -> Command | None:
        """Show a moment, 1/50 s long; the last command that was given in it."""
        simulator = self._world.simulator
        if simulator.frames % AGENT_FRAMES == 0:
            self._image = self._world.render()
        self._dashboard.show(self._world, self._where, message, self._ghost, self._image)
        given = None
        for command in self._controls.commands():
            if command == Command.VIEW:
                self._dashboard.toggle_view()
            else:
                given = command
        return given


def _told(episode: Episode) -> str:
    ends = {"lap": "Lap completed", "out": "Out of the playfield", "time": "Time is up"}
    return f"{ends[episode.end_reason]}: {episode.score:.1f}. Saved."


def main(options: Options) -> None:
    """Drive the remaining tracks, and print the statistics."""
    with ExitStack() as stack:
        try:
            tracks = parse_tracks(options.tracks, options.episodes)
            check_file(options.csv)
            check_folder(recordings(options.csv))
            episodes = read_episodes(options.csv) if options.csv.exists() else []
            ghost = load_driver(options.ghost) if options.ghost else None
            if not {e.track for e in episodes}.issuperset(tracks):
                if options.virtual_display:
                    name = stack.enter_context(virtual_display(SCREEN))
                    print(f"the window is on display {name}", flush=True)
                _drive(Race(ghost, options.agents_view), tracks, episodes, options.csv)
        except ValueError as e:
            exit_with_error(e)
        except OSError as e:
            exit_with_error(e, EXIT_FAILED)
        except KeyboardInterrupt:  # as with the key: what was not finished is not recorded
            pass
    if episodes:
        print(summary_line("human", episodes))


def recordings(csv: Path) -> Path:
    """The folder of the recordings that belong to a CSV; it is a driver of `evaluate.py --race`."""
    return csv.parent / "recordings" / csv.stem


def _drive(race: Race, tracks: list[int], episodes: list[Episode], path: Path) -> None:
    """Drive the tracks that have no row yet; `episodes` and the file grow by what is finished."""

    def save(episode: Episode, recording: Recording) -> None:
        episodes.append(episode)
        write_episodes(path, episodes)
        write_recording(recordings(path), recording)

    for number, track in enumerate(tracks, start=1):
        if track in {e.track for e in episodes}:
            continue
        command = Command.RESTART
        while command == Command.RESTART:
            command = race.drive(track, f"track {track} ({number} of {len(tracks)})", save)
        if command == Command.QUIT:
            return


if __name__ == "__main__":
    interrupt_for_sure()
    main(tyro.cli(Options))
