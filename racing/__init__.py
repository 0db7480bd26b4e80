"""The world: simulator, cameras, vision, actions, tracks. It imports neither agents nor TensorFlow."""

import os

os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")  # pygame prints a greeting on import

import cv2

cv2.setNumThreads(1)  # images are small; leave the cores to the simulator and the learner
