"""Speed of the environment, the learner, and whole runs."""
