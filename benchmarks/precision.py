"""Would XLA or mixed precision pay? Updates per second of DDQN.py's train step with each, and as it is.

python -m benchmarks.precision
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
import tyro

import DDQN
from agents.learner import Learner
from agents.network import build_q_network
from benchmarks import duel, learner_ours
from benchmarks.turns import take_turns
from racing.actions import action_set
from training.tensorflow_setup import set_up_tensorflow

AS_IT_IS, XLA, MIXED = "float32", "XLA", "mixed bfloat16"


@dataclass(frozen=True)
class Options(duel.Options):
    """Updates per second of the update alone, one thread, one core."""

    csv: Path = Path("results/speed_precision.csv")
    """Where the results go."""


def compile_with_xla() -> None:
    """Let the train step be one XLA program."""
    train = tf.function(Learner._train.python_function, jit_compile=True)
    Learner._train = train  # type: ignore[method-assign]


def compute_in_bfloat16() -> None:
    """Let layers compute in bfloat16; weights and Q values stay float32."""
    keras.config.set_dtype_policy("mixed_bfloat16")
    build = build_q_network

    def with_float32_head(*arguments: Any) -> keras.Model:
        network = build(*arguments)
        q = keras.layers.Activation("linear", dtype="float32")(network.output)
        return keras.Model(network.input, q, name=network.name)

    vars(DDQN)["build_q_network"] = with_float32_head


def work(way: str) -> None:
    """One side."""
    set_up_tensorflow(threads=1, device="cpu")
    if way == XLA:
        compile_with_xla()
    if way == MIXED:
        compute_in_bfloat16()
    ours = DDQN.Settings()
    setup = {
        "observation": (ours.stack, ours.height, ours.width),
        "actions": len(action_set(ours.actions)),
        "convolutions": ours.convolutions,
        "dense": ours.dense,
        "batch_size": ours.batch_size,
        "updates_per_call": ours.updates_per_tick,
        "filled": 20_000,
    }
    take_turns(*learner_ours.work("DDQN", json.loads(json.dumps(setup)), with_replay=False))


def main(options: Options) -> None:
    """Measure, write, print."""
    options.check()
    here = Path(sys.executable)
    ways = (AS_IT_IS, XLA, MIXED)
    sides = [duel.Side(way, here, ("-m", "benchmarks.precision", "side", way)) for way in ways]
    duels = [(XLA, AS_IT_IS), (MIXED, AS_IT_IS)]
    speeds = duel.measure(sides, options)
    duel.report("XLA and mixed precision", "updates_per_second", speeds, duels, options)


if __name__ == "__main__":
    if sys.argv[1:2] == ["side"]:
        work(sys.argv[2])
    else:
        main(tyro.cli(Options))
