"""What a trainer tells its journal: rows, curves and lines, out of the way of what it does."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.learner import Learned
from racing.episode import Episode
from training.actors.actor import Rollout
from training.tracking.journal import Journal


def tell_driving(
    journal: Journal, decisions: int, rollouts: list[Rollout], epsilons: NDArray[np.float64]
) -> None:
    """A row per finished training episode.

    Args:
        journal: Takes it down.
        decisions: Made so far.
        rollouts: One per actor.
        epsilons: Exploration rate of every car, float64 [actors, cars].
    """
    for rollout, rates in zip(rollouts, epsilons, strict=True):
        for episode, shaped_return, car in rollout.episodes:
            journal.episode(decisions, episode, shaped_return, float(rates[car]))


def tell_learning(
    journal: Journal,
    decisions: int,
    learned: Learned,
    rollouts: list[Rollout],
    others: dict[str, float],
) -> None:
    """A point of every curve of learning and speed.

    Args:
        journal: Takes it down.
        decisions: Made so far.
        learned: What the updates of a tick did.
        rollouts: Of the same tick.
        others: More curves by name.
    """
    scalars = {
        "learning/loss": learned.loss,
        "learning/td_error": float(np.abs(learned.td_error).mean()),
        "learning/gradient_norm": learned.gradient_norm,
        "learning/q": float(np.mean([r.mean_q for r in rollouts])),
    }
    journal.events.scalars(decisions, scalars | others)


def validation_facts(
    decisions: int, updates: int, seconds: float, episodes: list[Episode]
) -> dict[str, Any]:
    """What greedy drives on validation tracks came to: a row of validation.csv."""
    scores = np.array([e.score for e in episodes])
    return {
        "decisions": decisions,
        "updates": updates,
        "seconds": round(seconds, 1),
        "mean": round(float(scores.mean()), 2),
        "std": round(float(scores.std()), 2),
        "min": float(scores.min()),
        "max": float(scores.max()),
        "laps": sum(e.laps for e in episodes),
        "episodes": len(episodes),
    }


def tell_validation(
    journal: Journal, facts: dict[str, Any], best_score: float, film: NDArray[np.uint8]
) -> None:
    """A row, a point of the curves of driving, a line and a film.

    Args:
        journal: Takes it down.
        facts: As `validation_facts` gives them.
        best_score: The best mean before.
        film: Pictures of one drive, uint8 [n, H, W].
    """
    journal.validations.add(*facts.values())
    curves = {
        "driving/score": facts["mean"],
        "driving/laps": facts["laps"] / facts["episodes"],
        "driving/best_score": max(facts["mean"], best_score),
    }
    journal.events.scalars(facts["decisions"], curves)
    journal.say(
        f"{facts['decisions']:>9,} decisions  {facts['updates']:>6,} updates  {facts['seconds'] / 60:5.1f} min"
        f"  validation {facts['mean']:6.1f} ± {facts['std']:5.1f}  laps {facts['laps']}/{facts['episodes']}"
        + ("  best so far" if facts["mean"] > best_score else "")
    )
    journal.events.film(facts["decisions"], "driving/film", film)
