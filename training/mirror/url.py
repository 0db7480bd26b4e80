"""URLs of mirrors. This module imports nothing large, because every command line is checked with it."""

from __future__ import annotations

from urllib.parse import urlsplit

SCHEMES = ("s3", "gs", "az", "file")
VARIABLES = "AWS_ACCESS_KEY_ID, GOOGLE_SERVICE_ACCOUNT, AZURE_STORAGE_ACCOUNT_KEY and the like"


def is_url(text: str) -> bool:
    """Return whether a text is a URL and not the path of a folder."""
    return "://" in text


def checked_url(url: str) -> str:
    """Check a mirror's URL and return it without trailing slashes.

    Raises:
        ValueError: If it is invalid, or contains credentials; the message does not repeat them.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ValueError("not a valid URL") from None
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError(
            f"a mirror's URL must be only SCHEME://BUCKET/PREFIX: credentials come from the environment ({VARIABLES})"
        )
    if parts.scheme not in SCHEMES:
        known = ", ".join(f"{scheme}://" for scheme in SCHEMES)
        raise ValueError(f"a mirror's URL begins with one of {known}; got {url!r}")
    if parts.scheme == "file":
        if parts.netloc or not parts.path.startswith("/"):
            raise ValueError(f"a folder as a mirror is file:///ABSOLUTE/PATH, got {url!r}")
    elif not parts.netloc:
        raise ValueError(f"a mirror's URL is {parts.scheme}://BUCKET/PREFIX, got {url!r}")
    if not url.isprintable() or ".." in parts.path.split("/"):
        raise ValueError(f"not a mirror's URL: {url!r}")
    return url.rstrip("/")


def run_of_url(url: str) -> tuple[str, str, str]:
    """Split MIRROR/AGENT/NAME into the mirror's URL, the agent and the name of the run.

    Raises:
        ValueError: If it does not name a run.
    """
    mirror, _, name = checked_url(url).rpartition("/")
    mirror, _, agent = mirror.rpartition("/")
    if not agent or not name or mirror.endswith(("/", ":")):
        raise ValueError(f"a run in a mirror is MIRROR/AGENT/NAME, got {url!r}")
    return checked_url(mirror), agent, name
