"""Errors that domain functions raise and edges translate.

DomainError
├── Invalid            400  something in the request cannot be accepted; names its fields
├── NotAllowed         403  the person or key may not do this
├── NotFound           404  there is no such thing for whoever asks
└── Conflict           409  it contradicts a row that exists
"""

from typing import Any


class DomainError(Exception):
    """A refusal with a stable code, one full sentence for people and data for programs."""

    code = "error"
    status = 400

    def __init__(
        self, message: str, *, code: str | None = None, data: dict[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.code
        self.data = data or {}


class Invalid(DomainError):
    """The request cannot be accepted as it is."""

    code = "invalid"
    status = 400

    @classmethod
    def fields(cls, fields: dict[str, list[str]]) -> "Invalid":
        """One sentence list a field; nested fields are named by their path, `elements.0.type`."""
        return cls("Some fields cannot be accepted.", data={"fields": fields})


class NotAllowed(DomainError):
    """Whoever asks is known but may not do this."""

    code = "not_allowed"
    status = 403


class NotFound(DomainError):
    """No such thing, or none that the asker may see."""

    code = "not_found"
    status = 404


class Conflict(DomainError):
    """The request contradicts a row that exists."""

    code = "conflict"
    status = 409
