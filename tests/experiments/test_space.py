from __future__ import annotations

import math

import numpy as np
import pytest

import DDQN
from experiments.space import Choice, Dimension, Range, draw, grid, parse_seeds, parse_space
from training.settings import changed

BASE = DDQN.Settings()


def varied(*sets: str, spaces: tuple[str, ...] = ()) -> dict[str, Dimension]:
    return parse_space(sets, spaces, BASE)[1]


@pytest.mark.parametrize(
    ("text", "seeds"), [("1:5", (1, 2, 3, 4, 5)), ("1,3,7", (1, 3, 7)), ("4", (4,)), ("0:0", (0,))]
)
def test_seeds(text: str, seeds: tuple[int, ...]) -> None:
    """The last one is among them."""
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize(
    "text", ["", "a", "5:1", "1:", ":", "1,,2", "1,1", "-1", "1:2:3", "0:1000", "٣"]
)
def test_seeds_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="seeds") as e:
        parse_seeds(text)
    assert "\n" not in str(e.value)


def test_one_value_is_for_all_trials_and_several_are_tried() -> None:
    settings, space = parse_space(
        ["n-step=3,5", "gamma=0.9", "mirror=false", "dense=[256],[64, 32]", "actions=stock,brisk"],
        ["learning_rate=log:1e-4:1e-3", "batch_size=choice:16,32"],
        BASE,
    )
    assert settings == changed(BASE, gamma=0.9, mirror=False)
    assert space == {
        "n_step": Choice((3, 5)),
        "dense": Choice(((256,), (64, 32))),
        "actions": Choice(("stock", "brisk")),
        "learning_rate": Range(1e-4, 1e-3, log=True, whole=False),
        "batch_size": Choice((16, 32)),
    }


def test_a_grid_is_every_combination_in_the_order_given() -> None:
    found = grid(varied("n_step=3,5", "gamma=0.9,0.95"))
    assert [(v["n_step"], v["gamma"]) for v in found] == [(3, 0.9), (3, 0.95), (5, 0.9), (5, 0.95)]
    with pytest.raises(ValueError, match="--random or --tpe"):
        grid(varied(spaces=("gamma=float:0.9:0.99",)))


def test_what_is_drawn_is_inside_and_the_same_again() -> None:
    space = varied(
        "mirror=true,false",
        spaces=(
            "learning_rate=log:1e-5:1e-2",
            "n_step=int:1:4",
            "batch_size=log:4:400",
            "gamma=float:0.9:0.99",
        ),
    )
    drawn = [draw(space, 0, number) for number in range(400)]
    assert drawn == [draw(space, 0, number) for number in range(400)]
    assert drawn[:20] != [draw(space, 1, number) for number in range(20)]
    assert {v["n_step"] for v in drawn} == {1, 2, 3, 4}
    assert {v["mirror"] for v in drawn} == {True, False}
    rates, sizes = ([v[name] for v in drawn] for name in ("learning_rate", "batch_size"))
    assert min(rates) >= 1e-5 and max(rates) <= 1e-2
    below = np.mean([rate < math.sqrt(1e-5 * 1e-2) for rate in rates])
    assert 0.4 < below < 0.6, "equal factors are equally likely"
    assert all(type(size) is int and 4 <= size <= 400 for size in sizes)
    assert all(len(f"{v['gamma']:g}") <= 6 for v in drawn), "few digits"


@pytest.mark.parametrize(
    ("sets", "spaces", "message"),
    [
        (["learning_rat=1,2"], [], "no setting 'learning_rat'; did you mean learning_rate?"),
        (["gamma"], [], "--set is NAME="),
        (["gamma="], [], "a value is missing"),
        (["gamma=0.9,,0.8"], [], "a value is missing"),
        (["gamma=0.9,1.5"], [], "gamma must be 0 to 1, got 1.5"),
        (["gamma=NaN,0.9"], [], "gamma must be 0 to 1"),
        (["gamma=high,low"], [], "gamma must be float"),
        (["n_step=3,3.5"], [], "n_step must be int"),
        (["gamma=0.9,0.9"], [], "twice"),
        (["gamma=0.9"], ["gamma=float:0.1:0.2"], "gamma is given twice"),
        (["seed=1,2"], [], "use --seeds"),
        (["runs=a,b"], [], "use --folder"),
        (["name=a"], [], "the sweep sets it itself"),
        ([], ["gamma=float:0.9:1.5"], "gamma must be 0 to 1, got 1.5"),
        ([], ["gamma=float:0.9:0.8"], "the range is empty"),
        ([], ["gamma=float:0.9"], "needs two numbers"),
        ([], ["gamma=float:nan:1"], "the range is empty"),
        ([], ["gamma=float:0:inf"], "finite"),
        ([], ["gamma=normal:0:1"], "a space is int:LOW:HIGH"),
        ([], ["learning_rate=log:0:1"], "above 0"),
        ([], ["n_step=int:1.5:3"], "whole numbers"),
        ([], ["n_step=float:1.5:3"], "n_step must be int"),
    ],
)
def test_bad_input_is_one_line(sets: list[str], spaces: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("?", r"\?")) as e:
        parse_space(sets, spaces, BASE)
    assert "\n" not in str(e.value)
