"""How fast the world and the learner are."""
