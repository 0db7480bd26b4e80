"""The world: simulator, cameras, vision, actions, tracks. Knows no agent and never imports TensorFlow."""

import os

os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")  # the simulator's library greets on import

import cv2

cv2.setNumThreads(1)  # images are small; the cores belong to the simulator and the learner
