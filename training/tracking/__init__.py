"""Where the events of a run go: console, CSV, TensorBoard, status, trackers, metrics."""
