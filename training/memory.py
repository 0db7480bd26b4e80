"""What a trainer needs besides its networks, which see to themselves, and its replay; before it is asked for."""

from __future__ import annotations

import math

from agents.learner import LearnerSpec
from agents.network import activations
from agents.replay import FrameStore
from racing.actions import action_set
from system.memory import refuse_what_does_not_fit
from training.actors.driving import ActorSpec
from training.settings import RunSettings

ACTIVATION_COPIES = 4  # three networks look at a batch, and one's gradients are taken
# A worker's own, measured while it drove, less its cars; shared libraries come on top.
WORKER_BYTES = 300 * 2**20
CAR_BYTES = 6 * 2**20  # the maps of its track, as the fast camera paints them


def refuse_trainer_that_does_not_fit(
    settings: RunSettings, spec: ActorSpec, learner: LearnerSpec, store: FrameStore
) -> None:
    """Refuse a trainer whose ticks, batches or processes are too large.

    Raises:
        ValueError: If a tick is longer than the replay.
        NotEnoughMemoryError: With the figures.
    """
    if settings.slots_per_tick > store.slots:
        raise ValueError(
            f"slots_per_tick ({settings.slots_per_tick}) is more than the replay holds per car"
            f" ({store.slots})"
        )
    driving = settings.workers * WORKER_BYTES + settings.actors * settings.cars * CAR_BYTES
    refuse_what_does_not_fit(
        f"driving {settings.actors} x {settings.cars} cars in {settings.workers} processes",
        driving,
        "--workers, --actors or --cars",
        promised=store.bytes,
    )
    world = spec.world
    updates, size = learner.updates_per_call, learner.batch_size
    observation = (world.stack, world.height, world.width)
    numbers = activations(spec.network, observation, len(action_set(world.actions)))
    refuse_what_does_not_fit(
        f"learning from {updates} batches of {size} through this network",
        2 * updates * size * math.prod(observation) + 4 * ACTIVATION_COPIES * size * numbers,
        "--batch-size, --updates-per-tick, --convolutions or --dense",
        promised=store.bytes + driving,
    )
