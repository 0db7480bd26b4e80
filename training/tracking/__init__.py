"""Sinks for the events of a run: console, CSV, TensorBoard, status, trackers, metrics."""
