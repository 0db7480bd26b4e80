"""How well the agents learn: ablations, and a comparison with Stable-Baselines3."""
