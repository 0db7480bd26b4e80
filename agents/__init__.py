"""Who drives, and how it learns. Sees observations and actions, never the simulator."""
