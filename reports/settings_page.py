"""Generates docs/settings.md, the page of all settings, from the scripts' settings classes.

python -m reports.settings_page     rewrites the page
"""

from __future__ import annotations

import ast
import importlib
import inspect
import typing
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from reports.markdown import table
from system.files import write_whole
from system.ranges import allowed, unit
from training.settings import flat, groups

PAGE = Path(__file__).resolve().parents[1] / "docs" / "settings.md"
HEAD = """# Settings

Every setting is a flag of `DQN.py` and `DDQN.py`: `steps_per_tick` is `--steps-per-tick`. `--preset` chooses the values
to start from; the columns *long*, *server* and *smoke* say what these presets change. A run keeps its settings in
`config.json`. The glossary says what a decision, a tick or an update is: [glossary](glossary.md).
This page is made from the types in the code by `python -m reports.settings_page`.
"""


def page(scripts: dict[str, dict[str, Any]]) -> str:
    """Make the page in Markdown, from the presets of each script, by its name."""
    parts, seen = [HEAD], set[str]()
    for script, presets in scripts.items():
        for group in groups(presets["default"]):
            rows = [
                _row(group, name, presets)
                for name in _own(group)
                if f"{type(group).__name__}.{name}" not in seen
            ]
            seen |= {f"{type(group).__name__}.{name}" for name in _own(group)}
            if rows:
                title = (inspect.getdoc(type(group)) or "").split("\n")[0].split(":")[0].rstrip(".")
                only = f" ({script}.py)" if script != next(iter(scripts)) else ""
                columns = ["setting", *presets, "unit", "range", "meaning"]
                parts.append(f"## {title}{only}\n\n{table(columns, rows)}\n")
    different = _differences(scripts)
    if different:
        parts.append("## Where the scripts differ\n\n" + "\n".join(different) + "\n")
    return "\n".join(parts)


def _own(group: Any) -> list[str]:
    return [f.name for f in fields(group) if not is_dataclass(getattr(group, f.name))]


def _row(group: Any, name: str, presets: dict[str, Any]) -> list[str]:
    hint = typing.get_type_hints(type(group), include_extras=True)[name]
    values = {preset: flat(settings)[name] for preset, settings in presets.items()}
    changes = [
        "" if value == values["default"] else _text(value)
        for preset, value in values.items()
        if preset != "default"
    ]
    units, ranges = _unit_and_range(hint)
    cells = [
        f"`{name}`",
        _text(values["default"]),
        *changes,
        units,
        ranges,
        documented(type(group))[name],
    ]
    return [cell.replace("|", "\\|") for cell in cells]


def _text(value: Any) -> str:
    return f"`{value}`" if value != "" else ""


def _unit_and_range(hint: Any) -> tuple[str, str]:
    """Return the unit and the range of a type; the range includes words that are allowed instead of a number."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        inner = _unit_and_range(parts[0])
        return unit(parts[1:]) or inner[0], allowed(parts[1:]) or inner[1]
    if origin is Literal:
        return "", " or ".join(map(str, parts))
    found = [_unit_and_range(part) for part in parts if part is not Ellipsis]
    units = list(dict.fromkeys(u for u, _ in found if u))
    ranges = list(dict.fromkeys(text for _, text in found if text))
    return ", ".join(units), " or ".join(ranges)


def documented(kind: type) -> dict[str, str]:
    """Return the docstring below every field of a class and of its base classes, by field name."""
    texts: dict[str, str] = {}
    for parent in reversed(kind.__mro__):
        if not is_dataclass(parent):
            continue
        [tree] = ast.parse(inspect.getsource(parent)).body
        assert isinstance(tree, ast.ClassDef)
        for field, text in zip(tree.body, tree.body[1:], strict=False):
            if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr):
                assert isinstance(field.target, ast.Name)
                assert isinstance(text.value, ast.Constant)
                texts[field.target.id] = " ".join(str(text.value.value).split())
    return texts


def _differences(scripts: dict[str, dict[str, Any]]) -> list[str]:
    values = {script: flat(presets["default"]) for script, presets in scripts.items()}
    names = [
        n for n in next(iter(values.values())) if len({str(v.get(n)) for v in values.values()}) > 1
    ]
    return [
        f"- `{name}`: " + ", ".join(f"`{v[name]}` in {script}.py" for script, v in values.items())
        for name in names
        if all(name in v for v in values.values())
    ]


def main() -> None:
    """Write the page."""
    write_whole(PAGE, settings_page().encode())


def settings_page() -> str:
    """Make the page for DQN.py and DDQN.py."""
    return page({name: importlib.import_module(name).PRESETS for name in ("DQN", "DDQN")})


if __name__ == "__main__":
    main()
