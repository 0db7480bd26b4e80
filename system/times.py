"""Timestamps in UTC."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> str:
    """Return the current time in UTC, ISO 8601 with milliseconds, so that the start times of runs differ."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def parse(text: object) -> datetime:
    """Parse a time as written by `now`; one without a time zone is taken as UTC.

    Raises:
        ValueError: If it is not a time in ISO 8601.
    """
    time = datetime.fromisoformat(str(text))
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def seconds_since(time: datetime) -> float:
    """Return the number of seconds since a time; negative if the clock that it comes from is ahead of this one."""
    return (datetime.now(UTC) - time).total_seconds()
