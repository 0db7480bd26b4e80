"""Files, processes, memory, exit codes: general helpers that are independent of what is trained."""
