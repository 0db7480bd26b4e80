"""Drives a track with the network in this folder, without TensorFlow: python drive.py [TRACK].

It needs onnxruntime and the environment: pip install git+https://ADDRESS/OF/THE/REPOSITORY of carracing-dqn.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import gymnasium
import onnxruntime


def main() -> None:
    """Drive the track and print the score."""
    folder, track = Path(__file__).resolve().parent, int((*sys.argv, "0")[1])
    network = onnxruntime.InferenceSession(folder / "model.onnx")
    world = json.loads((folder / "card.json").read_text())["world"]
    env = gymnasium.make("racing.gym_env:CarRacingFast-v3", camera="official", **world)
    observation, _ = env.reset(seed=track)
    score, over = 0.0, False
    while not over:
        [values] = network.run(["values"], {"observation": observation[None]})  # [1, A]
        observation, reward, terminated, truncated, info = env.step(values.argmax())
        score, over = score + float(reward), terminated or truncated
    print(f"track {track}: {score:.1f} points, {info['end_reason']}")


if __name__ == "__main__":
    main()
