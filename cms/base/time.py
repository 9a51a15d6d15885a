"""Times on the wire: RFC 3339, UTC, with `Z`."""

from datetime import UTC, datetime


def rfc3339(at: datetime) -> str:
    """`2026-03-01T12:00:00Z`, with milliseconds where there are any. `at` must be aware."""
    at = at.astimezone(UTC)
    text = at.isoformat(timespec="milliseconds" if at.microsecond else "seconds")
    return text.replace("+00:00", "Z")


def utc_now() -> datetime:
    """The current time, aware, UTC."""
    return datetime.now(UTC)
