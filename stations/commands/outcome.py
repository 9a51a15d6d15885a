"""What a station's answer to a command means."""

from typing import Any

from stations.choices import CommandStatus
from stations.ocpp.framing import Broken, CallError, CallResult
from stations.ocpp.validation import Violation, check_reply
from stations.ocpp.versions import Version

# The station took it. Whatever else a status says, it did not.
TAKEN = frozenset(
    {"Accepted", "Scheduled", "RebootRequired", "Unlocked", "Installed", "AcceptedCanceled"}
)


class Outcome:
    """The end of a command: its status with `response` or `error`, ready for the row."""

    __slots__ = ("error", "response", "status")

    def __init__(
        self,
        status: CommandStatus,
        response: dict[str, Any] | None = None,
        error: dict[str, Any] | None = None,
    ) -> None:
        self.status = status
        self.response = response
        self.error = error


def judge_reply(version: Version, action: str, reply: CallResult | CallError | Broken) -> Outcome:
    """Read a station's answer: a result that fails its schema ends in error with the body kept."""
    if isinstance(reply, CallError):
        return Outcome(
            CommandStatus.ERROR,
            error={
                "code": reply.code,
                "description": reply.description,
                "details": reply.details,
            },
        )
    if isinstance(reply, Broken):
        return _invalid(reply.description, None)
    checked = check_reply(version, action, reply.payload)
    if isinstance(checked, Violation):
        return _invalid(checked.message, reply.payload)
    status = checked.payload.get("status")
    taken = status is None or status in TAKEN
    return Outcome(
        CommandStatus.ACCEPTED if taken else CommandStatus.REJECTED, response=checked.payload
    )


def _invalid(description: str, body: dict[str, Any] | None) -> Outcome:
    return Outcome(
        CommandStatus.ERROR,
        response=body,
        error={"code": "invalid_response", "description": description},
    )
