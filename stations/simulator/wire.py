"""OCPP-J frames as text and back. A second, independent reading of the specification: keep it so."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

Payload = dict[str, Any]


class MalformedFrame(ValueError):
    """The text is not an OCPP-J frame."""


@dataclass(frozen=True, slots=True)
class Call:
    message_id: str
    action: str
    payload: Payload


@dataclass(frozen=True, slots=True)
class CallResult:
    message_id: str
    payload: Payload


@dataclass(frozen=True, slots=True)
class CallError:
    message_id: str
    code: str
    description: str
    details: Any


Frame = Call | CallResult | CallError


def dumps(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def encode_call(message_id: str, action: str, payload: Payload | None) -> str:
    return dumps([2, message_id, action, payload])


def encode_result(message_id: str, payload: Payload) -> str:
    return dumps([3, message_id, payload])


def encode_error(message_id: str, code: str, description: str = "", details: Any = None) -> str:
    return dumps([4, message_id, code, description, {} if details is None else details])


def parse(text: str | bytes) -> Frame:
    """Read one frame.

    Raises:
        MalformedFrame: not JSON, not an array, or not the shape of its message type.

    Source: OCPP-J 1.6 §4.2.
    """
    try:
        frame = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise MalformedFrame(str(exc)) from exc
    match frame:
        case [2, str() as message_id, str() as action, dict() | None as payload]:
            return Call(message_id, action, payload or {})
        case [3, str() as message_id, dict() as payload]:
            return CallResult(message_id, payload)
        case [4, str() as message_id, str() as code, str() as description, details]:
            return CallError(message_id, code, description, details)
    raise MalformedFrame("not an OCPP-J frame")
