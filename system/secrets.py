"""Secrets stay in the environment: what others' errors repeat of them is masked."""

from __future__ import annotations

import os
import re

SECRET = re.compile("KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL|SAS|CONNECTION_STRING")
SHORTEST = 6  # characters; less is no secret, and masking it would garble the line


def masked(text: str) -> str:
    """A text without the values of environment variables that are named like secrets."""
    for name, value in os.environ.items():
        if SECRET.search(name.upper()) and len(value) >= SHORTEST:
            text = text.replace(value, "***")
    return text
