"""Masks secrets from environment variables in the error messages of other programs."""

from __future__ import annotations

import os
import re

SECRET = re.compile("KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL|SAS|CONNECTION_STRING")
SHORTEST = 6  # characters; shorter values are not secrets, and masking them would garble the line


def masked(text: str) -> str:
    """Replace the values of all environment variables whose names suggest a secret, such as AWS_SECRET_ACCESS_KEY."""
    for name, value in os.environ.items():
        if SECRET.search(name.upper()) and len(value) >= SHORTEST:
            text = text.replace(value, "***")
    return text
