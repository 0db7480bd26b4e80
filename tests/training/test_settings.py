"""Settings: types and ranges are checked, values are changed by name, and each says what it is."""

from __future__ import annotations

import ast
import inspect
import itertools
import json
import typing
from collections import Counter
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Ge, Gt, Interval, Le, Unit

import DDQN
import DQN
from system.ranges import Count, Positive, Probability, problem
from training.presets import LONG, SMOKE
from training.settings import Flat, changed, check, flat, from_json, groups

SCRIPTS = [DQN.Settings, DDQN.Settings]


@dataclass(frozen=True)
class Group:
    """A group."""

    share: Probability = 0.5
    layers: tuple[Count, ...] = (3, 4)
    kernels: tuple[tuple[Count, Count], ...] = ((3, 4),)
    on: bool = True

    def check(self) -> None:
        """Refuse what does not go together."""
        if not self.on and self.share:
            raise ValueError(f"share ({self.share}) needs on")


@dataclass(frozen=True)
class Settings:
    """Some settings."""

    group: Flat[Group] = Group()
    count: Annotated[int, Interval(ge=1, le=10), Unit("things")] = 3
    many: Annotated[int, Interval(ge=0, le=9)] | Literal["auto", "none"] = "auto"
    size: Positive = 1.0
    place: Path = Path("here")
    name: str = ""


S = Settings()


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("count", [1, 10], [0, 11, 2.5, "3", True, None]),
        ("many", [0, 9, "auto", "none"], [10, -1, "all", 1.5, None]),
        ("size", [1e-9, 3, 1e12], [0, -1.0, 1e13, float("nan"), float("inf"), "1", True]),
        ("share", [0, 0.5, 1], [-0.1, 1.1, float("nan")]),
        ("layers", [(1,), (5, 6, 7), ()], [(0,), (1, 2.5), [1, 2], 3]),
        ("kernels", [((1, 2), (3, 4)), ()], [((1, 2, 3),), ((1,),), (1, 2), ((0, 1),)]),
        ("on", [True], [1, 0, "yes", None]),
        ("place", [Path("there")], ["there", None]),
        ("name", ["", "x"], [3, None]),
    ],
)
def test_types_and_ranges(name: str, good: list[Any], bad: list[Any]) -> None:
    for value in good:
        check(changed(S, **{name: value}))
    for value in bad:
        with pytest.raises(ValueError, match=f"^{name} must "):
            check(changed(S, **{name: value}))


@pytest.mark.parametrize(
    ("hint", "value", "said"),
    [
        (int, 2.5, "must be int, got 2.5"),
        (Count, 0, "must be at least 1, got 0"),
        (Positive, 0.0, "must be above 0, got 0.0"),
        (Probability, 2, "must be 0 to 1, got 2"),
        (float, 1e13, "must be finite, and not beyond 1e+12, got 10000000000000.0"),
        (Positive, float("nan"), "must be above 0, and not beyond 1e+12, got nan"),
        (Count, 10**400, f"must be at least 1, and not beyond 1e+12, got {10**400}"),
        (Annotated[int, Le(3)], 4, "must be at most 3, got 4"),
        (Literal["a", "b"], "c", "must be a or b, got 'c'"),
        (Count | Literal["auto"], 0, "must be at least 1 or auto, got 0"),
        (tuple[int, int], (1,), "must have 2 parts, got (1,)"),
        (tuple[int, ...], 1, "must be a list, got 1"),
        (tuple[tuple[Count, ...], ...], ((1,), (2, 0)), "must be at least 1, got 0"),
        (Count, 7, ""),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_said(hint: Any, value: object, said: str) -> None:
    assert problem(hint, value) == said


def test_what_belongs_together_is_checked_after_the_types() -> None:
    with pytest.raises(ValueError, match=r"^share \(0.5\) needs on"):
        check(changed(S, on=False))
    with pytest.raises(ValueError, match=r"^share must be 0 to 1"):
        check(changed(S, on=False, share=2))


def test_changed_by_flat_names() -> None:
    new = changed(S, count=7, share=0.25)
    assert (new.count, new.group.share, new.group.layers) == (7, 0.25, (3, 4))
    assert (S.count, S.group.share) == (3, 0.5)
    assert flat(new) == flat(S) | {"count": 7, "share": 0.25}
    assert changed(S) == S


@pytest.mark.parametrize(
    ("wrong", "near"), [("counts", "count"), ("shares", "share"), ("layer", "layers")]
)
def test_an_unknown_name_is_refused_with_the_nearest(wrong: str, near: str) -> None:
    with pytest.raises(ValueError, match=f"no setting '{wrong}'; did you mean {near}?"):
        changed(S, **{wrong: 1})
    with pytest.raises(ValueError, match=r"no setting 'xyzzy'$"):
        changed(S, xyzzy=1)


def test_from_json() -> None:
    values = {"layers": [5], "kernels": [[1, 2], [3, 4]], "place": "there", "many": 3}
    new = from_json(S, values)
    assert flat(new) == flat(S) | {
        "layers": (5,),
        "kernels": ((1, 2), (3, 4)),
        "place": Path("there"),
        "many": 3,
    }
    check(new)
    with pytest.raises(ValueError, match="no setting 'colour'"):
        from_json(S, {"colour": "red"})
    for wrong in ({"layers": 5}, {"layers": [True]}, {"kernels": [1]}, {"place": 3}, {"on": None}):
        with pytest.raises(ValueError, match=f"^{next(iter(wrong))} must"):
            check(from_json(S, wrong))


@pytest.mark.parametrize("module", [DQN, DDQN])
def test_every_preset_goes_out_as_json_and_in_again(module: Any) -> None:
    assert list(module.PRESETS) == ["default", "long", "server", "smoke"]
    for name, preset in module.PRESETS.items():
        check(preset)
        assert preset.preset == name
        written = json.loads(json.dumps(flat(preset), default=str))
        assert from_json(module.PRESETS["default"], written) == preset
    assert {name for preset in (LONG, SMOKE) for name in preset} <= set(flat(DQN.Settings()))


@pytest.mark.parametrize("settings", SCRIPTS)
def test_names_are_unique_over_the_groups(settings: Any) -> None:
    names = Counter(f.name for group in groups(settings()) for f in fields(group))
    assert max(names.values()) == 1
    assert len(flat(settings())) > 50


def fields_of(settings: Any) -> list[tuple[type, str, Any]]:
    """Class, name and type of every setting."""
    found = []
    for group in groups(settings()):
        hints = typing.get_type_hints(type(group), include_extras=True)
        found += [(type(group), f.name, hints[f.name]) for f in fields(group)]
    return [f for f in found if f[1] in flat(settings())]


def documented(owner: type) -> dict[str, str]:
    """The line below each field, in the class or what it inherits from."""
    found = {}
    for kind in reversed(owner.__mro__[:-1]):
        [body] = ast.parse(inspect.getsource(kind)).body
        assert isinstance(body, ast.ClassDef)
        for field, text in itertools.pairwise(body.body):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                said = isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)
                found[field.target.id] = ast.unparse(text) if said else ""
    return found


@pytest.mark.parametrize("settings", SCRIPTS)
def test_every_setting_is_documented(settings: Any) -> None:
    for owner, name, _ in fields_of(settings):
        assert len(documented(owner)[name]) > 10, f"{owner.__name__}.{name}"


def has_range(hint: Any) -> bool:
    """Whether every number in a type has a range."""
    if typing.get_origin(hint) is Annotated:
        return any(
            isinstance(m, Interval | Ge | Gt | Le) for m in typing.get_args(hint)[1:]
        ) or has_range(typing.get_args(hint)[0])
    parts = typing.get_args(hint)
    if typing.get_origin(hint) is Literal or not parts:
        return hint not in (int, float)
    return all(has_range(part) for part in parts if part is not Ellipsis)


@pytest.mark.parametrize("settings", SCRIPTS)
def test_every_number_has_its_range(settings: Any) -> None:
    """And no default is out of it."""
    assert not has_range(tuple[tuple[int, int], ...]) and has_range(tuple[Count, ...])
    assert not {name for _, name, hint in fields_of(settings) if not has_range(hint)}
    check(settings())
