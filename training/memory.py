"""Estimates the memory of a run before anything is allocated."""

from __future__ import annotations

import contextlib
import math
from typing import Any

from agents.network import activations, weight_shapes
from agents.replay.store import TRANSITION_BYTES
from evaluation.split import ADDRESS_SPACE_BYTES
from system.cpus import usable_cpus
from system.memory import (
    Need,
    NotEnoughMemoryError,
    check_address_space,
    check_available_memory,
)

# Copies of the weights: three networks, Adam's two, gradients, drivers, a checkpoint of all; 28 were measured.
WEIGHT_COPIES = 30
ACTIVATION_COPIES = 4  # three networks process a batch, one of them with gradients
# Private memory of a worker, measured while driving, without its cars and shared libraries.
WORKER_BYTES = 300 * 2**20
CAR_BYTES = 6 * 2**20  # the maps that the fast camera paints of its track


def worker_count(settings: Any) -> int:
    """Return the number of workers: as set, or limited by the cores without the learner's, the actors, and the memory.

    On a cluster: as set, or one per actor; the cluster starts as many as it has CPUs for.

    Raises:
        ValueError: If the run does not fit into the memory.
    """
    actors = int(settings.cars // settings.cars_per_actor)
    if settings.pool == "ray":
        check_run_memory(settings, 0)
        return actors if settings.workers == "auto" else min(int(settings.workers), actors)
    if settings.workers != "auto":
        wanted = min(int(settings.workers), actors)
        check_run_memory(settings, wanted)
        return wanted
    for count in range(min(max(usable_cpus() - 1, 0), actors), 0, -1):
        with contextlib.suppress(NotEnoughMemoryError):
            check_run_memory(settings, count)
            return count
    check_run_memory(settings, 0)
    return 0


def check_run_memory(settings: Any, workers: int) -> None:
    """Check that there is enough memory for a run's replay, network, batches and processes.

    Args:
        settings: The settings of the run.
        workers: Number of processes that drive.

    Raises:
        ValueError: If a tick is longer than the replay, or an image smaller than a convolution.
        NotEnoughMemoryError: If there is not; the message has the figures, and the setting to reduce.
    """
    s, shape, actions = settings, settings.view.observation_shape, len(settings.view.action_set)
    length = s.replay.ring_length(s.cars, s.view.stack)
    if s.steps_per_tick > length:
        raise ValueError(
            f"steps_per_tick ({s.steps_per_tick}) is more than the replay holds per car ({length})"
        )
    weights = sum(map(math.prod, weight_shapes(s.network, shape, actions).values()))
    updates, size = s.learning.updates_per_tick, s.replay.batch_size
    pixels = 2 * updates * size * math.prod(shape)
    numbers = ACTIVATION_COPIES * size * activations(s.network, shape, actions)
    needs = (
        Need(
            f"a replay of {length * s.cars:,} decisions",
            length * s.cars * (s.view.height * s.view.width + TRANSITION_BYTES),
            "--replay-capacity",
        ),
        Need(
            f"training a network of {weights:,} weights",
            4 * WEIGHT_COPIES * weights,
            "--dense or --convolutions",
        ),
        Need(
            f"driving {s.cars} cars in {workers} processes",
            workers * WORKER_BYTES + s.cars * CAR_BYTES,
            "--workers or --cars",
        ),
        Need(
            f"learning from {updates} batches of {size} through this network",
            pixels + 4 * numbers,
            "--batch-size, --updates-per-tick, --convolutions or --dense",
        ),
    )
    check_available_memory(*needs)
    own = sum(need.bytes for need in needs) - workers * WORKER_BYTES
    check_address_space("training", ADDRESS_SPACE_BYTES[True] + own)
