"""Training: `from training import train`, then `train(Settings(seed=3))` with the Settings of DQN.py or DDQN.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from training.session import Outcome, train

__all__ = ["Outcome", "train"]


def __getattr__(name: str) -> Any:
    """Import lazily, so that TensorFlow and the simulator are loaded only for training."""
    if name in __all__:
        from training import session

        return getattr(session, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
