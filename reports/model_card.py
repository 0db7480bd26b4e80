"""Model cards in the format of Hugging Face: Markdown with YAML on top (huggingface.co/docs/hub/model-cards)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from racing.actions import action_set

ENVIRONMENT = "CarRacing-v3"


def model_card(name: str, card: dict[str, Any]) -> Callable[[int, int], str]:
    """Prepare the model card of a weight file.

    Args:
        name: Name of the model.
        card: The card in the weight file; has `test` if the weights were measured on the test tracks.

    Returns:
        A function that makes the README.md, given the numbers of episodes and decisions in which ONNX and TensorFlow
        chose the same actions.

    Raises:
        ValueError: If an entry of the card is missing.
    """
    try:
        head = _front_matter(name, card)
        scores, world, settings = _scores(card), _world(card), _training(card)
    except (KeyError, TypeError, ValueError, AttributeError) as e:
        raise ValueError(f"the card of the weights lacks what a model card needs ({e!r})") from None

    def readme(episodes: int, decisions: int) -> str:
        parts = (
            head,
            f"# {name}\n\nA {card['agent']} that drives Gymnasium's {ENVIRONMENT} from pixels: a"
            " convolutional Q-network, trained with the project carracing-dqn.",
            f"## Scores\n\n{scores}",
            f"## What it sees and does\n\n{world}",
            "## Use\n\n`drive.py` drives a track with `model.onnx` and onnxruntime, without TensorFlow. The same"
            " weights are in `model.safetensors`, and all that is known of them is in `card.json`. On"
            f" {episodes} whole episodes, {decisions:,} decisions, the ONNX file chose the action that TensorFlow"
            " chose, every time.",
            f"## Training\n\n{settings}",
            "## Limits\n\nIt knows this simulator, this camera and these actions, and nothing else. Scores of other"
            " versions of CarRacing do not compare. Now and then it leaves the track for good.",
        )
        return "\n\n".join(parts) + "\n"

    return readme


def _measured(card: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the kind of tracks that were driven, and the scores."""
    return ("test", card["test"]) if "test" in card else ("validation", card["validation"])


def _front_matter(name: str, card: dict[str, Any]) -> str:
    tracks, scores = _measured(card)
    value = json.dumps(f"{scores['mean']:.2f} +/- {scores['std']:.2f}")
    return f"""---
license: mit
library_name: onnx
pipeline_tag: reinforcement-learning
tags:
- {ENVIRONMENT}
- {str(card["agent"]).lower()}
- deep-reinforcement-learning
- reinforcement-learning
- gymnasium
- onnx
model-index:
- name: {json.dumps(name)}
  results:
  - task:
      type: reinforcement-learning
      name: reinforcement-learning
    dataset:
      type: {ENVIRONMENT}
      name: {ENVIRONMENT}, {int(scores["episodes"])} {tracks} tracks
    metrics:
    - type: mean_reward
      name: mean_reward
      value: {value}
      verified: false
---"""


def _scores(card: dict[str, Any]) -> str:
    tracks, s = _measured(card)
    rows = {
        "mean": f"{s['mean']:.1f} ± {s['std']:.1f}",
        "lowest and highest": f"{s['min']:.1f}, {s['max']:.1f}",
        "laps": f"{s['laps']} of {s['episodes']}",
    }
    if "low" in s:
        rows["95 % interval of the mean"] = f"{s['low']:.1f} to {s['high']:.1f}"
    how = {
        "test": "on test tracks, which no one trained on or chose weights by; Gymnasium's own camera and reward",
        "validation": "on the validation tracks, by which these weights were chosen; the fast camera of the training",
    }[tracks]
    table = "\n".join(f"| {key} | {value} |" for key, value in rows.items())
    return f"Whole episodes of 1000 frames {how}.\n\n| | |\n|---|---|\n{table}"


def _world(card: dict[str, Any]) -> str:
    w, (stack, height, width) = card["world"], card["observation"]
    controls = action_set(w["actions"]).controls
    table = "\n".join(
        f"| {i} | {s:+.2f} | {g:.2f} | {b:.2f} |" for i, (s, g, b) in enumerate(controls)
    )
    return f"""Input `observation`: uint8 [N, {stack}, {height}, {width}], {stack} grey images, oldest first, \
{w["frame_skip"] * w["stack_spacing"]} frames (1/50 s) apart.
Output `values`: float32 [N, {len(controls)}], the value of each action; the highest is taken, and held for \
{w["frame_skip"]} frame{"s" if w["frame_skip"] > 1 else ""}.

| action | steer | gas | brake |
|---|---|---|---|
{table}"""


def _training(card: dict[str, Any]) -> str:
    settings, validation = card["settings"], card["validation"]
    lines = [
        f"- {validation['decisions']:,} decisions and {validation['updates']:,} updates, of"
        f" {settings['decisions']:,} decisions that the run had; seed {settings['seed']}",
        f"- preset `{settings['preset']}`, discount {settings['gamma']}, {settings['n_step']}-step returns",
    ]
    if commit := card.get("origin", {}).get("commit"):
        lines.append(f"- commit `{commit}`")
    return "\n".join(lines)
