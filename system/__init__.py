"""Files, processes, memory, exit codes: nothing here knows what is trained."""
