"""Times, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> str:
    """This moment in UTC, as ISO 8601 with milliseconds: runs are told apart by when they began."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def parse(text: object) -> datetime:
    """A time as `now` writes it; without a zone it is taken for UTC.

    Raises:
        ValueError: If it is not a time.
    """
    time = datetime.fromisoformat(str(text))
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def seconds_since(time: datetime) -> float:
    """How long ago a time was; negative where its clock is ahead of ours."""
    return (datetime.now(UTC) - time).total_seconds()
