"""What an answer to one of our requests comes to, in words that all profiles share."""

from dataclasses import dataclass
from typing import Any

from stations.choices import CommandStatus
from stations.models import Command


@dataclass(frozen=True, slots=True)
class Answer:
    """`response` where the station answered as the schema wants, also after its time was over; `error` is a code."""

    response: dict[str, Any] | None
    error: str
    was_sent: bool

    @property
    def said(self) -> str:
        """The status in the answer; empty where it has none."""
        status = (self.response or {}).get("status")
        return status if isinstance(status, str) else ""


def answer_to(command: Command) -> Answer:
    """How a command ended."""
    error = str((command.error or {}).get("code", ""))
    is_usable = isinstance(command.response, dict) and command.status != CommandStatus.ERROR
    return Answer(
        response=command.response if is_usable else None,
        error=error if command.status == CommandStatus.ERROR else "",
        was_sent=command.status != CommandStatus.CANCELLED,
    )
