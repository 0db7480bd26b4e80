"""The command line of the scripts that train: preset, then files, then flags."""

from __future__ import annotations

import argparse
import json
import sys
import tomllib
from dataclasses import dataclass, field, fields, make_dataclass
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar

import tyro

from system.exits import exit_with_error
from system.ranges import check_fields
from training.mirror.url import is_url, run_of_url
from training.runs.compat import renamed
from training.runs.names import RunError
from training.runs.run_folder import CONFIG, ORIGIN, RunFolder
from training.runs.store import Runs
from training.settings import Flat, RunSettings, changed, check, flat, from_json, groups

S = TypeVar("S", bound=RunSettings)
OF_ITS_PLACE = (
    "runs",
    "name",
    "resume",
)  # what one run's config.json says that is not for another run


@dataclass(frozen=True)
class Many:
    """Several runs by one command."""

    seeds: str = ""
    """Train with several seeds and report over all of them: FIRST:LAST, LAST included (1:5 are five), or 1,3,7. The
    same command line goes on with what is not trained yet."""
    jobs: int | None = None
    """With --seeds: runs at once; one, or one per GPU of --devices, if not given. Changes the time, not the result."""
    devices: str = ""
    """With --seeds: GPUs, such as 0,1; one run at a time on each."""


@dataclass(frozen=True)
class Launch:
    """What settings a run is started with, and who is told of it."""

    config: Annotated[
        tuple[Path, ...], tyro.conf.UseAppendAction, tyro.conf.arg(metavar="FILE")
    ] = ()
    """JSON or TOML file of settings by their names, such as the config.json of a run; may be given more than once.
    A later file wins over an earlier one, every file over the preset, and flags over all of them."""
    print_config: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print the settings as TOML, each with where its value came from, and end."""
    metrics_port: Annotated[int | None, tyro.conf.arg(metavar="PORT")] = None
    """Port for Prometheus; 0 is any free one. Needs the extra `metrics`."""
    metrics_address: str = "127.0.0.1"
    """Address that the port is opened on; others than the loopback address let everybody there read."""
    metrics_file: Annotated[Path | None, tyro.conf.arg(metavar="PATH.prom")] = None
    """Write the metrics into this file, for node_exporter's textfile collector."""
    many: Flat[Many] = Many()


@dataclass(frozen=True)
class Command(Generic[S]):
    """What a command line asks for.

    Attributes:
        settings: Of the run.
        run: A run to go on with, if any.
        launch: What is not a setting of a run.
        sources: Where each setting came from, by its flat name.
    """

    settings: S
    run: RunFolder | None
    launch: Launch
    sources: dict[str, str] = field(default_factory=dict)

    def as_toml(self) -> str:
        """All settings, for `--config`; a comment says where each came from."""
        lines = [f"{name} = {_toml(value)}" for name, value in flat(self.settings).items()]
        width = min(max(map(len, lines)), 60)
        pairs = zip(lines, flat(self.settings), strict=True)
        return "\n".join(f"{line:{width}}  # {self.sources[name]}" for line, name in pairs)


def read_command_line(agent: str, presets: dict[str, S]) -> Command[S]:
    """Read `sys.argv`.

    Args:
        agent: Name of the script.
        presets: Settings to start from, by name.

    Raises:
        ValueError: If there is no such preset, file or run, or the run has other settings.
    """
    files = {path: read_settings_file(path) for path in map(Path, _given("--config"))}
    preset = _chosen_preset(presets, files)
    settings, launch = _parse(preset, files)
    run = _chosen_run(agent, settings)
    base, base_name = preset, _preset_name(preset)
    if run is None:
        settings = changed(settings, resume="")
    else:
        base, base_name = _settings_of(run, settings, presets["default"]), run.shown
        settings, launch = _parse(base, files)
        run.check_settings(flat(settings))
    return Command(settings, run, launch, _sources(settings, base, base_name, files))


def _parse(base: S, files: dict[Path, dict[str, Any]]) -> tuple[S, Launch]:
    """Flags over files over these settings."""
    for path, values in files.items():
        try:
            base = from_json(base, values)
            for group in groups(base):
                check_fields(group)
        except ValueError as e:
            raise ValueError(f"{path}: {e}") from None
    kind: Any = type(base)
    launch = ("launch", Flat[Launch], Launch())
    line = make_dataclass(kind.__name__, [launch], bases=(kind,), frozen=True)
    line.__doc__ = kind.__doc__
    parts = {f.name: getattr(base, f.name) for f in fields(base)}
    parsed: Any = tyro.cli(line, default=line(**parts))
    return kind(**{name: getattr(parsed, name) for name in parts}), parsed.launch


def read_settings_file(path: Path) -> dict[str, Any]:
    """Settings by their names, from JSON or TOML; of a run's config.json without what is of its place.

    Raises:
        ValueError: If it cannot be read, or is not a list of names and values.
    """
    try:
        data = path.read_bytes()
        text = data.decode()
        values = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except OSError as e:
        raise ValueError(f"{path}: {e.strerror}") from None
    except (ValueError, RecursionError) as e:
        kind = "TOML" if path.suffix == ".toml" else "JSON (a TOML file's name ends in .toml)"
        raise ValueError(f"{path}: not {kind}: {e}") from None
    if not isinstance(values, dict):
        raise ValueError(f"{path}: settings must be names with values")
    if tables := [name for name, value in values.items() if isinstance(value, dict)]:
        raise ValueError(f"{path}: settings must not be in tables, found {', '.join(tables)}")
    of_a_run = path.name == CONFIG and path.with_name(ORIGIN).exists()
    return {k: v for k, v in renamed(values).items() if not of_a_run or k not in OF_ITS_PLACE}


def _given(flag: str) -> list[str]:
    """All that a flag is given, before everything is parsed: other flags' defaults depend on it."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument(flag, action="append", default=[], dest="given")
    try:
        found: list[str] = parser.parse_known_args()[0].given
    except argparse.ArgumentError:  # nothing after it: tyro says so
        return []
    return found


def _chosen_preset(presets: dict[str, S], files: dict[Path, dict[str, Any]]) -> S:
    """The settings to start from: that --preset names, or else a file.

    Raises:
        ValueError: If there are none of that name.
    """
    in_files = [values["preset"] for values in files.values() if "preset" in values]
    name = (_given("--preset") or in_files or ["default"])[-1]
    if not isinstance(name, str) or name not in presets:
        raise ValueError(f"preset must be one of {', '.join(presets)}, got {name!r}")
    return presets[name]


def _chosen_run(agent: str, settings: RunSettings) -> RunFolder | None:
    """The run that --resume names.

    Raises:
        ValueError: If there is none, or it is another script's.
    """
    if not settings.resume:
        return None
    if settings.resume == "auto":
        if not settings.name:
            raise ValueError("--resume auto resumes the run that --name names: give --name")
        run = RunFolder(settings.runs / agent / settings.name)
        if run.is_there():
            return run
        if not settings.mirror_to:
            return None
        from training.mirror.fetch import run_in_mirror

        return run_in_mirror(settings.mirror_to, f"{agent}/{settings.name}", settings.runs)
    if is_url(settings.resume):
        from training.mirror.fetch import run_to_go_on_with

        run = run_to_go_on_with(settings.resume, settings.runs)
    else:
        run = Runs(settings.runs, agent).resolve(settings.resume)
    if run.agent != agent:
        raise RunError(f"{run.shown} was made by {run.agent}.py; resume it with that script")
    return run


def _settings_of(run: RunFolder, settings: RunSettings, default: S) -> S:
    """The settings that a run goes on with, if no flag says otherwise.

    Raises:
        RunError: If they are not what this version understands.
    """
    config = run.config() | {"resume": settings.resume}
    if is_url(settings.resume):  # it goes on being mirrored to where it comes from
        config["mirror_to"] = run_of_url(settings.resume)[0]
    try:
        theirs = from_json(default, config)
        missing = flat(theirs).keys() - config.keys()
        if missing:
            raise ValueError(f"{', '.join(sorted(missing))} missing")
        check(theirs)
    except ValueError as e:
        raise RunError(f"{run.shown} was made by another version, or changed: {e}") from None
    return theirs


def _preset_name(settings: RunSettings) -> str:
    return "default" if settings.preset == "default" else f"preset {settings.preset}"


def _sources(
    settings: RunSettings, base: RunSettings, base_name: str, files: dict[Path, dict[str, Any]]
) -> dict[str, str]:
    """Where every value came from."""
    sources = dict.fromkeys(flat(settings), base_name)
    if base_name.startswith("preset "):
        default = type(base)()
        sources |= {k: "default" for k, v in flat(default).items() if v == flat(base)[k]}
    for path, values in files.items():
        sources |= dict.fromkeys(values, str(path))
    for name in sources:
        flags = {f"--{prefix}{name}".replace("_", "-") for prefix in ("", "no-")}
        if any(word.partition("=")[0].replace("_", "-") in flags for word in sys.argv[1:]):
            sources[name] = "flag"
    return sources


def _toml(value: Any) -> str:
    """A value in TOML, which writes bare numbers, strings and lists as JSON does."""
    return json.dumps(value, default=str)


def read_or_exit(agent: str, presets: dict[str, S]) -> Command[S]:
    """As `read_command_line`, with checked settings; bad input ends the program in one line."""
    try:
        command = read_command_line(agent, presets)
        check(command.settings)
    except ValueError as e:
        exit_with_error(e)
    return command
