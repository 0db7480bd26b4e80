"""A model of a tick, and what it says of more cores.

Every car makes `steps_per_tick` decisions while the learner makes its updates. With N workers on C cores that takes

    max(L + m, D / N + m_w, (L + D + m + N m_w) / C)

the learner's way, the way of the busiest worker, or all work over all cores. L is the time of a tick's updates, D that
of all cars' decisions on one core, m what the trainer spends on messages (weights out, experience in), m_w a worker.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Constants:
    """What a tick's parts cost on this machine.

    Attributes:
        learn: Seconds of a tick's updates, alone on a core (L).
        updates: In a tick.
        drive: Seconds of a car's decision, alone on a core.
        decisions: In a tick, all cars together.
        cars: That make them, each in an actor of its own.
        pack: Seconds to pack or unpack a byte of a message.
        weights_bytes: To every worker, every tick.
        decision_bytes: Of a decision, on its way back.
        zlib: Seconds to compress and expand a byte of experience at zlib's level 1.
        zlib_ratio: What is left of it.
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
        """Seconds of a tick.

        Args:
            workers: Processes that drive; 0: the learner's drives, too.
            cores: That they share.
            learn: Seconds of a tick's updates, where another device makes them.
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
    """Of a run on so many cores, at least two, with as many cars as it takes to keep the workers busy.

    Args:
        c: What a tick's parts cost.
        cores: One learns, or feeds what learns; the others drive.
        learner: How many times as fast as a core that is which learns.
    """
    workers = cores - 1
    cars = max(c.cars, workers)
    wide = replace(c, cars=cars, decisions=cars * c.decisions // c.cars)
    learn = c.learn / learner * wide.decisions / c.decisions
    return wide.decisions / wide.tick(workers, cores, learn)


def predicted(c: Constants) -> list[dict[str, str]]:
    """Decisions per second for more cores and faster learners."""
    return [
        {"learner": name, "updates/s": f"{learner * c.updates / c.learn:.0f}"}
        | {
            f"{cores} cores": f"{decisions_per_second(c, cores, learner):,.0f}"
            for cores in (2, 4, 10, 100, 1000)
        }
        for name, learner in LEARNERS.items()
    ]


def limits(c: Constants) -> list[str]:
    """What the messages cost, and what would make them cheaper."""
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
