"""Errors of a mirror, each as a single line without secrets."""

from __future__ import annotations

import re

from system.secrets import masked

LONGEST_REASON = 160  # characters


class MirrorError(ValueError):
    """The mirror cannot be used; the message is one line that says why."""


class ConflictError(Exception):
    """Another writer created or changed the object first."""


def reason(error: Exception) -> str:
    """Summarise a server's error in a few words, without secrets."""
    text, name = str(error), type(error).__name__
    code = re.search(r"<Code>(\w+)</Code>", text)
    message = re.search(r"<Message>([^<]*)</Message>", text)
    if code and code[1] == "NoSuchBucket":
        return "there is no such bucket"
    denied = ("PermissionDeniedError", "UnauthenticatedError", "PermissionError")
    refused = code and code[1] in ("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch")
    if refused or name in denied or re.search(r"\b40[13] (Forbidden|Unauthorized)", text):
        why = f" ({code[1]})" if code else ""
        return f"no permission{why}: check the keys in the environment and their permissions"
    if code:
        return masked(f"{code[1]}: {message[1] if message else ''}"[:LONGEST_REASON])
    for found, words in (
        ("Connection refused", "nothing listens there"),
        ("dns error", "there is no such host"),
        ("builder error", "plain http is only used with AWS_ALLOW_HTTP=true"),
        ("No space left", "no space left"),
        ("kind: Timeout", "no answer in time"),
        ("operation timed out", "no answer in time"),
        ("kind: Connect", "no connection"),
        ("connection closed", "the connection was closed"),
    ):
        if found in text:
            return words
    lines = [line.strip() for line in text.splitlines() if line.strip()] or [name]
    # What precedes " - " is the request and how long it took.
    return masked(lines[0].rpartition(" - ")[2][:LONGEST_REASON])
