"""Who can drive, one protocol for every driver, and scores."""
