"""Parses the command line of the training scripts: flags override files, and files override the preset."""

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
)  # belongs to one run, and is not taken over by another


@dataclass(frozen=True)
class Many:
    """Train several runs with one command."""

    seeds: str = ""
    """Train with several seeds and report on all of them: FIRST:LAST, LAST included (1:5 are five), or 1,3,7. The
    same command continues with the runs that are not finished."""
    jobs: int | None = None
    """With --seeds: number of runs at a time; by default one, or one per GPU of --devices. Changes the time, not the
    result."""
    devices: str = ""
    """With --seeds: GPUs to use, such as 0,1; one run at a time on each."""


@dataclass(frozen=True)
class Launch:
    """Options of the launch that are not settings of the run."""

    config: Annotated[
        tuple[Path, ...], tyro.conf.UseAppendAction, tyro.conf.arg(metavar="FILE")
    ] = ()
    """JSON or TOML file of settings by name, such as the config.json of a run; may be given more than once. Later files
    override earlier ones, files override the preset, and flags override files."""
    print_config: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print all settings as TOML, with the source of each value, and exit."""
    metrics_port: Annotated[int | None, tyro.conf.arg(metavar="PORT")] = None
    """Port for Prometheus; 0 for any free port. Needs the extra `metrics`."""
    metrics_address: str = "127.0.0.1"
    """Address to open the port on; on any other than the loopback address, the metrics can be read from the network."""
    metrics_file: Annotated[Path | None, tyro.conf.arg(metavar="PATH.prom")] = None
    """Write the metrics to this file, for node_exporter's textfile collector."""
    many: Flat[Many] = Many()


@dataclass(frozen=True)
class Command(Generic[S]):
    """A parsed command line.

    Attributes:
        settings: The settings of the run.
        run: The run to resume, if any.
        launch: Options that are not settings of a run.
        sources: The source of each value, by flat name.
    """

    settings: S
    run: RunFolder | None
    launch: Launch
    sources: dict[str, str] = field(default_factory=dict)

    def as_toml(self) -> str:
        """Format all settings as TOML for `--config`, with the source of each value as a comment."""
        lines = [f"{name} = {_toml(value)}" for name, value in flat(self.settings).items()]
        width = min(max(map(len, lines)), 60)
        pairs = zip(lines, flat(self.settings), strict=True)
        return "\n".join(f"{line:{width}}  # {self.sources[name]}" for line, name in pairs)


def read_command_line(agent: str, presets: dict[str, S]) -> Command[S]:
    """Parse `sys.argv`.

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
    """Apply the files to these settings, then the flags."""
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
    """Read settings by name from JSON or TOML; from a run's config.json, without its folder and name.

    Raises:
        ValueError: If the file cannot be read, or does not contain names with values.
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
    """Return all values of a flag before the full parse, because the defaults of other flags depend on them."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument(flag, action="append", default=[], dest="given")
    try:
        found: list[str] = parser.parse_known_args()[0].given
    except argparse.ArgumentError:  # it has no value: tyro reports that
        return []
    return found


def _chosen_preset(presets: dict[str, S], files: dict[Path, dict[str, Any]]) -> S:
    """Return the preset that --preset or a file names.

    Raises:
        ValueError: If there is no preset of that name.
    """
    in_files = [values["preset"] for values in files.values() if "preset" in values]
    name = (_given("--preset") or in_files or ["default"])[-1]
    if not isinstance(name, str) or name not in presets:
        raise ValueError(f"preset must be one of {', '.join(presets)}, got {name!r}")
    return presets[name]


def _chosen_run(agent: str, settings: RunSettings) -> RunFolder | None:
    """Return the run that --resume names, or None to start a new one.

    Raises:
        ValueError: If there is no such run, or another script made it.
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
    """Return the settings that a resumed run has before flags are applied.

    Raises:
        RunError: If this version does not understand them.
    """
    config = run.config() | {"resume": settings.resume}
    if is_url(settings.resume):  # mirror it to where it came from
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
    """Return the source of every value."""
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
    """Format a value as TOML, whose numbers, strings and lists are written as in JSON."""
    return json.dumps(value, default=str)


def read_or_exit(agent: str, presets: dict[str, S]) -> Command[S]:
    """Parse and check the command line; invalid input ends the program with a one-line error."""
    try:
        command = read_command_line(agent, presets)
        check(command.settings)
    except ValueError as e:
        exit_with_error(e)
    return command
