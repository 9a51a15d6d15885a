"""Why a frame or a request is refused, and how each OCPP version spells it.

    ErrorCode                       neutral; `code_for(version, error)` gives the wire's word
    CallRefused(Exception)          raised by a handler, becomes a CALLERROR
    QueueFull(Exception)            too many calls are already waiting for this station

Source: OCPP-J 1.6 Table 7 with errata 5.1 and 5.2 (two misspellings are part of that protocol);
OCPP-J 2.0.1 edition 3 Table 8; OCPP-J 2.1 Table 9.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Any

from stations.ocpp.versions import Version

MAX_DESCRIPTION = 255


class ErrorCode(Enum):
    """What is wrong with a call, spelled as OCPP 2.1 spells it."""

    NOT_IMPLEMENTED = "NotImplemented"
    NOT_SUPPORTED = "NotSupported"
    INTERNAL_ERROR = "InternalError"
    PROTOCOL_ERROR = "ProtocolError"
    SECURITY_ERROR = "SecurityError"
    FORMAT_VIOLATION = "FormatViolation"
    PROPERTY_CONSTRAINT_VIOLATION = "PropertyConstraintViolation"
    OCCURRENCE_CONSTRAINT_VIOLATION = "OccurrenceConstraintViolation"
    TYPE_CONSTRAINT_VIOLATION = "TypeConstraintViolation"
    GENERIC_ERROR = "GenericError"
    MESSAGE_TYPE_NOT_SUPPORTED = "MessageTypeNotSupported"
    RPC_FRAMEWORK_ERROR = "RpcFrameworkError"


_2X = {error: error.value for error in ErrorCode}

# 1.6 has no word for a broken frame or a foreign message type. A frame that is no RPC at all is malformed;
# a message type is a matter of protocol (and on 1.6 we ignore it, so the word is never sent).
_16 = _2X | {
    ErrorCode.FORMAT_VIOLATION: "FormationViolation",
    ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION: "OccurenceConstraintViolation",
    ErrorCode.MESSAGE_TYPE_NOT_SUPPORTED: "ProtocolError",
    ErrorCode.RPC_FRAMEWORK_ERROR: "FormationViolation",
}

WIRE_CODES: Mapping[Version, Mapping[ErrorCode, str]] = MappingProxyType(
    {
        Version.V16: MappingProxyType(_16),
        Version.V201: MappingProxyType(_2X),
        Version.V21: MappingProxyType(_2X),
    }
)


def code_for(version: Version, error: ErrorCode) -> str:
    """The word for `error` in the negotiated version's own table."""
    return WIRE_CODES[version][error]


class CallRefused(Exception):
    """The station's call cannot be served; the station gets a CALLERROR.

    `description` is one sentence for the station's technician: at most 255 characters are sent, never a
    traceback, SQL or a secret. `details` must serialise to a JSON object.
    """

    def __init__(
        self,
        error: ErrorCode,
        description: str = "",
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(error, description)
        self.error = error
        self.description = description[:MAX_DESCRIPTION]
        self.details: Mapping[str, Any] = details if details is not None else {}

    def __str__(self) -> str:
        return f"{self.error.value}: {self.description}"


class QueueFull(Exception):
    """This station already has as many calls waiting as we allow; ask again later."""
