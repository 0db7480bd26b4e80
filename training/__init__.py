"""How experience becomes skill: actors, trainer, checkpoints, runs, evaluation."""
