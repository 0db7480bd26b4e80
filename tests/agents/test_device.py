"""Which device learns. There need not be a GPU here: TensorFlow's logical devices stand in as far as they go."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from agents.backend import DeviceError, chosen_gpu
from tests.support.command_line import ROOT

LEARN_ON_BOTH = """
import json
from agents.backend import set_up_tensorflow, tf
set_up_tensorflow(1, "cpu")
assert not tf.config.experimental.tensor_float_32_execution_enabled()
(cpu,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, 2 * [tf.config.LogicalDeviceConfiguration()])
from tests.support.networks import random_batch, small_dqn
found = []
for device in ("CPU:0", "CPU:1"):
    with tf.device(device):
        agent = small_dqn()
        _, metrics = agent.repeat(random_batch(4))
    variables = [v.value for n in (agent.online, agent.target, agent.average) for v in n.variables]
    weights = {name: array.tolist() for name, array in agent.actor_weights().items()}
    found.append([sorted({v.device[-5:] for v in variables}), metrics["loss"], weights])
print(json.dumps(found))
"""


@pytest.mark.parametrize(
    ("device", "gpus", "chosen"),
    [
        ("auto", [], []),
        ("auto", ["first", "second"], ["first"]),
        ("cpu", ["first", "second"], []),
        ("gpu", ["first", "second"], ["first"]),
        ("gpu:0", ["first"], ["first"]),
        ("gpu:1", ["first", "second"], ["second"]),
    ],
)
def test_one_gpu_at_most(device: str, gpus: list[str], chosen: list[str]) -> None:
    assert chosen_gpu(device, gpus) == chosen


@pytest.mark.parametrize(
    ("device", "gpus", "named"),
    [
        ("gpu", [], "gpu was asked for, but TensorFlow sees 0 GPUs; use --device cpu"),
        ("gpu:2", ["first", "second"], "gpu:2 was asked for, but TensorFlow sees 2 GPUs"),
        ("gpu:-1", ["first"], "must be auto, cpu, gpu or gpu:INDEX"),
        ("gpu:x", ["first"], "must be auto, cpu, gpu or gpu:INDEX"),
        ("cpu:0", [], "must be auto, cpu, gpu or gpu:INDEX"),
        ("", [], "must be auto, cpu, gpu or gpu:INDEX"),
    ],
)
def test_what_is_not_there(device: str, gpus: list[str], named: str) -> None:
    with pytest.raises(DeviceError, match=named):
        chosen_gpu(device, gpus)


@pytest.mark.slow
def test_the_learner_stays_on_its_device() -> None:
    """And learns the same there."""
    done = subprocess.run(
        [sys.executable, "-c", LEARN_ON_BOTH],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    (first, *result), (second, *other) = json.loads(done.stdout)
    assert (first, second) == (["CPU:0"], ["CPU:1"])
    assert result == other
