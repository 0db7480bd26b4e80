"""A model of the duration of a tick, and its predictions for more cores.

Every car makes `steps_per_tick` decisions while the learner makes its updates. With N workers on C cores, this takes

    max(L + m, D / N + m_w, (L + D + m + N m_w) / C)

which is the time of the learner, the time of the busiest worker, or all work divided by all cores. L is the time of a
tick's updates, D the time of all cars' decisions on one core, m the time that the trainer spends on messages (sending
weights, receiving experience), and m_w the same for a worker.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Constants:
    """The measured costs of the parts of a tick on a machine.

    Attributes:
        learn: Seconds for a tick's updates, alone on a core (L).
        updates: Updates per tick.
        drive: Seconds for one decision of a car, alone on a core.
        decisions: Decisions of all cars per tick.
        cars: Number of cars, each in its own actor.
        pack: Seconds to pack or unpack a byte of a message.
        weights_bytes: Size of the weights that every worker gets in every tick, bytes.
        decision_bytes: Size of the experience of one decision, bytes.
        zlib: Seconds to compress and decompress a byte of experience at level 1 of zlib.
        zlib_ratio: Compressed size divided by original size.
    """

    learn: float
    updates: int
    drive: float
    decisions: int
    cars: int
    pack: float
    weights_bytes: int
    decision_bytes: float
    zlib: float
    zlib_ratio: float

    def tick(self, workers: int, cores: float = math.inf, learn: float | None = None) -> float:
        """Predict the duration of a tick in seconds.

        Args:
            workers: Number of worker processes; if 0, the learner's process also drives.
            cores: Number of cores.
            learn: Seconds for a tick's updates, if another device makes them.
        """
        learns, drives = self.learn if learn is None else learn, self.drive * self.decisions
        if not workers:
            return learns + drives
        back = self.decisions * self.decision_bytes
        trainer = self.pack * (workers * self.weights_bytes + back)
        worker = self.pack * (self.weights_bytes + back / workers)
        share = math.ceil(self.cars / min(workers, self.cars)) / self.cars  # of the busiest
        return max(
            learns + trainer,
            drives * share + worker,
            (learns + drives + trainer + workers * worker) / cores,
        )


LEARNERS = {"this core": 1, "10 times it": 10, "100 times it": 100}


def decisions_per_second(c: Constants, cores: int, learner: float) -> float:
    """Predict decisions per second, with as many cars as are needed to keep all workers busy.

    Args:
        c: The costs of the parts of a tick.
        cores: Number of cores, at least two: one for the learner, or to feed its GPU, and the others for workers.
        learner: How many times faster than a core the learning device is.
    """
    workers = cores - 1
    cars = max(c.cars, workers)
    wide = replace(c, cars=cars, decisions=cars * c.decisions // c.cars)
    learn = c.learn / learner * wide.decisions / c.decisions
    return wide.decisions / wide.tick(workers, cores, learn)


def predicted(c: Constants) -> list[dict[str, str]]:
    """Predict decisions per second for more cores and faster learners; returns rows of a table."""
    return [
        {"learner": name, "updates/s": f"{learner * c.updates / c.learn:.0f}"}
        | {
            f"{cores} cores": f"{decisions_per_second(c, cores, learner):,.0f}"
            for cores in (2, 4, 10, 100, 1000)
        }
        for name, learner in LEARNERS.items()
    ]


def limits(c: Constants) -> list[str]:
    """Describe how much the messages cost, and what would make them cheaper."""
    back, out = c.decision_bytes, c.weights_bytes
    most = c.decisions / (c.pack * (c.cars * out + c.decisions * back))
    mbit = (1 - c.zlib_ratio) * 8 / c.zlib / 1e6
    return [
        f"- A decision comes back as {back:,.0f} bytes, which take {c.pack * back * 1e6:.1f} µs; the"
        f" weights are {out / 2**20:.1f} MiB to every worker and tick, {c.pack * out * 1e3:.1f} ms.",
        f"- A trainer that did nothing but messages with {c.cars} workers would take in {most:,.0f}"
        " decisions a second. Weights in half precision would halve the larger part of it.",
        f"- zlib makes experience {c.zlib_ratio:.0%} of its size for {c.zlib * back * 1e6:.0f} µs a"
        f" decision: worth it where a worker has less than {mbit:,.0f} Mbit/s.",
    ]
