"""Who gathers experience, and where."""
