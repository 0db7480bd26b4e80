"""The PyTorch sides of the learner benchmark: Stable-Baselines3's DQN, and a plain update as in CleanRL."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import stable_baselines3  # type: ignore[import-not-found,unused-ignore]
import torch  # type: ignore[import-not-found,unused-ignore]
from stable_baselines3.common.logger import configure  # type: ignore[import-not-found,unused-ignore]
from torch import nn

from benchmarks.speed.torch_network import body, parameters, sb3_policy
from benchmarks.speed.turns import take_turns

Work = tuple[str, Callable[[], int]]


class QNetwork(nn.Module):  # type: ignore[misc]
    """A Q-network with or without the dueling head of agents/network.py."""

    def __init__(self, network: dict[str, Any], dueling: bool) -> None:
        super().__init__()
        self.body = body(network["observation"], network["convolutions"], network["dense"])
        self.head = nn.Linear(network["dense"][-1], network["actions"])
        self.value = nn.Linear(network["dense"][-1], 1) if dueling else None

    def forward(self, pixels: Any) -> Any:
        """Compute action values, uint8 [B, K, H, W] -> float32 [B, A]."""
        features = self.body(pixels / 255.0)
        head = self.head(features)
        if self.value is None:
            return head
        return self.value(features) + head - head.mean(dim=1, keepdim=True)


def plain(setup: dict[str, Any], double: bool) -> Work:
    """Make a plain update: squared TD error, Adam, no gradient clipping; always on the same batch, without a replay."""
    online, target = QNetwork(setup, dueling=double), QNetwork(setup, dueling=double)
    target.load_state_dict(online.state_dict())
    adam = torch.optim.Adam(online.parameters(), lr=3e-4)
    batch = setup["batch_size"]
    pixels = torch.randint(0, 256, (2, batch, *setup["observation"]), dtype=torch.uint8)
    action = torch.randint(0, setup["actions"], (batch, 1))
    reward, discount = torch.randn(batch), torch.full((batch,), 0.98)

    def update() -> int:
        with torch.no_grad():
            after = target(pixels[1])  # [B, A]
            choice = (online(pixels[1]) if double else after).argmax(dim=1, keepdim=True)  # [B, 1]
            goal = reward + discount * after.gather(1, choice)[:, 0]  # [B]
        loss = nn.functional.mse_loss(online(pixels[0]).gather(1, action)[:, 0], goal)
        adam.zero_grad()
        loss.backward()
        adam.step()
        return 1

    kind = "Double Q-learning, dueling head" if double else "Q-learning"
    return f"{kind}, {parameters(online)}, torch {torch.__version__}", update


class Stage(gymnasium.Env[Any, Any]):
    """An environment that only has spaces, because only the learner is measured."""

    def __init__(self, setup: dict[str, Any]) -> None:
        self.observation_space = gymnasium.spaces.Box(0, 255, tuple(setup["observation"]), np.uint8)
        self.action_space = gymnasium.spaces.Discrete(setup["actions"])


def sb3(setup: dict[str, Any]) -> Work:
    """Make calls of `DQN.train()`: uniform replay, one-step Q-learning, Huber loss, gradient clipping, Adam."""
    model = stable_baselines3.DQN(
        "CnnPolicy",
        Stage(setup),
        buffer_size=setup["filled"],
        batch_size=setup["batch_size"],
        policy_kwargs=sb3_policy(setup),
        device="cpu",
        seed=1,
    )
    model.set_logger(configure(None, []))
    rng = np.random.default_rng(1)
    for _ in range(setup["filled"]):
        before, after = rng.integers(0, 256, (2, 1, *setup["observation"]), np.uint8)
        action, reward = rng.integers(setup["actions"], size=1), rng.normal(size=1)
        model.replay_buffer.add(before, after, action, reward, rng.random(1) < 0.01, [{}])

    def train() -> int:
        model.train(gradient_steps=setup["updates_per_call"], batch_size=setup["batch_size"])
        return int(setup["updates_per_call"])

    versions = f"stable-baselines3 {stable_baselines3.__version__}, torch {torch.__version__}"
    return f"Q-learning, uniform replay, {parameters(model.q_net)}, {versions}", train


SIDES: dict[str, Callable[[dict[str, Any]], Work]] = {
    "sb3": sb3,
    "plain": lambda setup: plain(setup, double=False),
    "double": lambda setup: plain(setup, double=True),
}

if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.manual_seed(1)
    take_turns(*SIDES[sys.argv[1]](json.loads(sys.argv[2])))
