"""OCPP-J frames: from text to values and back, with no I/O and no clock.

`parse` never raises. Whatever a station sends becomes one of

    Call, CallResult, CallError        message types 2, 3, 4
    CallResultError, Send              message types 5, 6 of OCPP 2.1
    Broken                             not readable; answered with a CALLERROR unless it was a reply to us
    Ignored                            to be dropped without an answer (a message type this version does not know)
    Oversized                          beyond the size limit; the connection is to be closed

Numbers are exact: an integer, or a Decimal where there is a fraction; `1.0` and `1e3` become the integers they
equal, as JSON Schema sees them. NaN, infinities, numbers of more than 64 characters or beyond 10^20 are refused.
Of a repeated key the last one counts, in every object. NUL characters inside payload strings are let through.

Source: OCPP-J 1.6 §4.1, §4.2; OCPP-J 2.0.1 §4.1-4.4; OCPP-J 2.1 §4.1-4.4.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NoReturn, TypeAlias

import orjson

from stations.ocpp.errors import MAX_DESCRIPTION, ErrorCode, code_for
from stations.ocpp.versions import Version

MAX_FRAME_BYTES = 1024 * 1024
MAX_DEPTH = 64
MAX_MESSAGE_ID = 36
MAX_ACTION = 64
MAX_NUMBER_TEXT = 64
MAX_NUMBER_DIGITS = 20

# The id of an answer to a call whose own id could not be read (OCPP-J 2.x §4.2.3). 1.6 names none; we use the same.
UNREADABLE_ID = "-1"

CALL, CALL_RESULT, CALL_ERROR, CALL_RESULT_ERROR, SEND = 2, 3, 4, 5, 6

Payload: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """A request. `text` is the frame as received, for the trace and for comparing replays."""

    message_id: str
    action: str
    payload: Payload
    text: str


@dataclass(frozen=True, slots=True)
class CallResult:
    message_id: str
    payload: Payload


@dataclass(frozen=True, slots=True)
class CallError:
    """`code` is what the peer wrote, known to us or not."""

    message_id: str
    code: str
    description: str
    details: Payload


@dataclass(frozen=True, slots=True)
class CallResultError:
    """OCPP 2.1: the station could not use our CALLRESULT."""

    message_id: str
    code: str
    description: str
    details: Payload


@dataclass(frozen=True, slots=True)
class Send:
    """OCPP 2.1: a message that is never answered."""

    message_id: str
    action: str
    payload: Payload
    text: str


@dataclass(frozen=True, slots=True)
class Broken:
    """`message_id` is None where none could be read; `is_reply` where it is an answer to a call of ours."""

    message_id: str | None
    error: ErrorCode
    description: str
    is_reply: bool = False


@dataclass(frozen=True, slots=True)
class Ignored:
    reason: str


@dataclass(frozen=True, slots=True)
class Oversized:
    """`size` is in bytes, or in characters where counting bytes was not needed."""

    size: int


Frame: TypeAlias = (
    Call | CallResult | CallError | CallResultError | Send | Broken | Ignored | Oversized
)

_MESSAGE_TYPES = {
    Version.V16: frozenset({CALL, CALL_RESULT, CALL_ERROR}),
    Version.V201: frozenset({CALL, CALL_RESULT, CALL_ERROR}),
    Version.V21: frozenset({CALL, CALL_RESULT, CALL_ERROR, CALL_RESULT_ERROR, SEND}),
}
# 2.0.1 answers a message type it does not know; 1.6 and 2.1 ignore the message.
_ANSWERS_UNKNOWN_TYPE = frozenset({Version.V201})


def parse(text: str | bytes, version: Version) -> Frame:
    """Read one frame. Never raises; costs about as much as `json.loads`."""
    if isinstance(text, bytes):
        if len(text) > MAX_FRAME_BYTES:
            return Oversized(len(text))
        try:
            text = text.decode()
        except UnicodeDecodeError:
            return Broken(None, ErrorCode.RPC_FRAMEWORK_ERROR, "The frame is not UTF-8.")
    elif len(text) > MAX_FRAME_BYTES:
        return Oversized(len(text))
    elif not text.isascii():
        try:
            size = len(text.encode())
        except UnicodeEncodeError:
            return _unreadable(text, version, "The frame holds half of a surrogate pair.")
        if size > MAX_FRAME_BYTES:
            return Oversized(size)

    if text.count("[") + text.count("{") > MAX_DEPTH and _is_too_deep(text):
        return _unreadable(text, version, f"The frame is nested deeper than {MAX_DEPTH} levels.")
    try:
        message = _decode(text)
    except _NumberOutOfRange:
        return _unreadable(
            text, version, "A number is out of range.", ErrorCode.PROPERTY_CONSTRAINT_VIOLATION
        )
    except (ValueError, RecursionError):
        return _unreadable(text, version, "The frame is not valid JSON.")
    if ("\\ud" in text or "\\uD" in text) and has_lone_surrogate(message):
        return _unreadable(text, version, "The frame holds half of a surrogate pair.")

    if type(message) is not list or not message:
        return Broken(None, ErrorCode.RPC_FRAMEWORK_ERROR, "The frame is not a JSON array.")
    kind = message[0]
    # `2.0` and `true` equal integers in Python but are no message types, hence the look at the text.
    if type(kind) is not int or not (text.startswith(_PLAIN_HEADS) or _HEAD.match(text)):
        return _unknown_type(message, version)
    if kind == CALL:
        return _read_call(message, text)
    if kind not in _MESSAGE_TYPES[version]:
        return _unknown_type(message, version)
    if kind == SEND:
        return _read_send(message, text)
    return _read_reply(kind, message)


def _read_call(message: list[Any], text: str) -> Call | Broken:
    message_id = _valid_id(message)
    if message_id is None:
        return Broken(
            None,
            ErrorCode.RPC_FRAMEWORK_ERROR,
            f"The message id must be a string of 1 to {MAX_MESSAGE_ID} characters.",
        )
    if len(message) != 4:
        return Broken(message_id, ErrorCode.FORMAT_VIOLATION, "A CALL has four elements.")
    _, _, action, payload = message
    if type(action) is not str:
        return Broken(message_id, ErrorCode.FORMAT_VIOLATION, "The action must be a string.")
    if len(action) > MAX_ACTION or not action.isprintable():
        return Broken(message_id, ErrorCode.NOT_IMPLEMENTED, "The action is not known.")
    if payload is None:
        payload = {}
    elif type(payload) is not dict:
        return Broken(message_id, ErrorCode.FORMAT_VIOLATION, "The payload must be an object.")
    return Call(message_id, action, payload, text)


def _read_send(message: list[Any], text: str) -> Send | Ignored:
    call = _read_call(message, text)
    if isinstance(call, Broken):
        return Ignored(f"A SEND that cannot be read: {call.description}")
    return Send(call.message_id, call.action, call.payload, text)


def _read_reply(
    kind: int, message: list[Any]
) -> CallResult | CallError | CallResultError | Broken | Ignored:
    message_id = _valid_id(message)
    if message_id is None:
        return Ignored("A reply without a usable message id.")
    rest = message[2:]
    if kind == CALL_RESULT:
        payload = rest[0] if rest else False
        if payload is None:
            payload = {}
        if type(payload) is not dict:
            return Broken(
                message_id, ErrorCode.FORMAT_VIOLATION, "The payload must be an object.", True
            )
        return CallResult(message_id, payload)
    code, description, details = (rest + [None, None, None])[:3]
    make = CallError if kind == CALL_ERROR else CallResultError
    return make(
        message_id,
        code[:MAX_ACTION] if isinstance(code, str) else "",
        description[:MAX_DESCRIPTION] if isinstance(description, str) else "",
        details if isinstance(details, dict) else {},
    )


def _valid_id(message: list[Any]) -> str | None:
    message_id = message[1] if len(message) > 1 else None
    if (
        type(message_id) is str
        and 0 < len(message_id) <= MAX_MESSAGE_ID
        and message_id.isprintable()
    ):
        return message_id
    return None


def _unknown_type(message: list[Any], version: Version) -> Broken | Ignored:
    if version in _ANSWERS_UNKNOWN_TYPE:
        return Broken(
            _valid_id(message),
            ErrorCode.MESSAGE_TYPE_NOT_SUPPORTED,
            "The message type is not known.",
        )
    return Ignored("The message type is not known.")


_PLAIN_HEADS = ("[2,", "[3,", "[4,")
_HEAD = re.compile(r"[\s\x00\ufeff]*\[\s*\d+\s*[,\]]")
_HEAD_WITH_ID = re.compile(
    r'[\s\x00\ufeff]*\[\s*(\d)\s*,\s*"([^"\\\x00-\x1f]{1,36})"\s*(?:[,\]]|\Z)'
)


def _unreadable(
    text: str,
    version: Version,
    description: str,
    error: ErrorCode = ErrorCode.FORMAT_VIOLATION,
) -> Broken | Ignored:
    """A frame that is no JSON, or none we accept: read type and id from its beginning, if they are there."""
    head = _HEAD_WITH_ID.match(text)
    if head is None:
        return Broken(None, ErrorCode.RPC_FRAMEWORK_ERROR, description)
    kind = int(head[1])
    message_id = _valid_id([kind, head[2]])
    if kind not in _MESSAGE_TYPES[version]:
        return _unknown_type([kind, message_id], version)
    if kind == CALL:
        if message_id is None:
            return Broken(None, ErrorCode.RPC_FRAMEWORK_ERROR, description)
        return Broken(message_id, error, description)
    if kind in (CALL_RESULT, CALL_ERROR) and message_id is not None:
        return Broken(message_id, error, description, is_reply=True)
    return Ignored(description)


class _NumberOutOfRange(ValueError):
    pass


class _NotANumber(ValueError):
    pass


def _number(text: str) -> int | Decimal:
    """A JSON number with a fraction or an exponent."""
    if len(text) > MAX_NUMBER_TEXT:
        raise _NumberOutOfRange
    value = Decimal(text)
    if value and not -MAX_NUMBER_TEXT < value.adjusted() < MAX_NUMBER_DIGITS:
        raise _NumberOutOfRange
    whole = int(value)
    return whole if whole == value else value


def _refuse_constant(name: str) -> NoReturn:
    raise _NotANumber(name)


_DECODER = json.JSONDecoder(parse_float=_number, parse_constant=_refuse_constant)
# Some stations send the terminator of their string buffer, or a byte order mark.
STRAY = "\x00\ufeff \t\r\n"


def _decode(text: str) -> Any:
    try:
        message, end = _DECODER.raw_decode(text)
        if end == len(text):
            return message
    except (_NumberOutOfRange, _NotANumber):
        raise
    except json.JSONDecodeError:
        pass
    except ValueError:  # an integer of more digits than Python converts (sys.int_info)
        raise _NumberOutOfRange from None
    return _DECODER.decode(text.strip(STRAY))


# Every byte but brackets and quotes is dropped; braces count as brackets.
_TO_BRACKETS = bytes.maketrans(b"{}", b"[]")
_NOT_STRUCTURE = bytes(set(range(256)) - set(b'[]{}"'))
_TOO_MANY_OPEN = b"[" * (MAX_DEPTH + 1)


def _is_too_deep(text: str) -> bool:
    """Whether brackets outside strings nest deeper than MAX_DEPTH, found without a Python loop over the text.

    Each pass removes the innermost level, and a long run of opening brackets settles it at once. What the passes
    cannot remove is unbalanced: no JSON, and too deep only where enough of it is left.
    """
    if "\\" in text:
        text = text.replace("\\\\", "").replace('\\"', "")
    skeleton = text.encode("ascii", "replace").translate(_TO_BRACKETS, _NOT_STRUCTURE)
    brackets = b"".join(skeleton.split(b'"')[::2])
    for _ in range(MAX_DEPTH):
        if _TOO_MANY_OPEN in brackets:
            return True
        inner = brackets.replace(b"[]", b"")
        if len(inner) == len(brackets):
            return len(brackets) > MAX_DEPTH
        brackets = inner
    return brackets != b""


def has_lone_surrogate(message: object) -> bool:
    """Whether a JSON value holds text that UTF-8 cannot carry."""
    try:
        json.dumps(message, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError:
        return True
    return False


def encode_call(message_id: str, action: str, payload: Mapping[str, Any]) -> str:
    """A CALL as compact JSON; keys keep their order. For Decimal and datetime see `_default`."""
    return _dumps([CALL, message_id, action, payload])


def encode_result(message_id: str, payload: Mapping[str, Any]) -> str:
    return _dumps([CALL_RESULT, message_id, payload])


def encode_error(
    version: Version,
    message_id: str | None,
    error: ErrorCode,
    description: str = "",
    details: Mapping[str, Any] | None = None,
) -> str:
    """A CALLERROR with the version's own code; an unreadable `message_id` (None) becomes "-1"."""
    return _encode_error(CALL_ERROR, version, message_id, error, description, details)


def encode_result_error(
    version: Version,
    message_id: str,
    error: ErrorCode,
    description: str = "",
    details: Mapping[str, Any] | None = None,
) -> str:
    """OCPP 2.1: tell the station that its CALLRESULT was no use."""
    return _encode_error(CALL_RESULT_ERROR, version, message_id, error, description, details)


def _encode_error(
    kind: int,
    version: Version,
    message_id: str | None,
    error: ErrorCode,
    description: str,
    details: Mapping[str, Any] | None,
) -> str:
    wire_id = UNREADABLE_ID if message_id is None else message_id
    code = code_for(version, error)
    return _dumps([kind, wire_id, code, description[:MAX_DESCRIPTION], details or {}])


def _dumps(frame: list[Any]) -> str:
    return orjson.dumps(frame, _default, orjson.OPT_PASSTHROUGH_DATETIME).decode()


def _default(value: Any) -> Any:
    """Decimals as exact JSON numbers; aware datetimes with milliseconds, UTC as `Z`."""
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise TypeError(f"{value} has no JSON form")
        return orjson.Fragment(format(value, "f"))
    if isinstance(value, Mapping):
        return dict(value)
    if hasattr(value, "utcoffset") and value.utcoffset() is not None:
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    raise TypeError(f"{type(value).__name__} has no JSON form")
