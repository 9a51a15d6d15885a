"""Whether a payload is what its schema asks, and the few repairs we grant stations.

What a station sends is judged by `check_inbound` (its calls) and `check_reply` (its answers). A payload that fits
costs one compiled check. One that does not is repaired in place where nothing of meaning is lost, each repair counted:

- fields the schema does not know are removed, and optional fields that are null;
- in meter readings a number for a 1.6 `value` becomes text (in 2.x text becomes a number), empty optional texts are
  removed, a missing `sampledValue` becomes an empty list, and a sample that still does not fit is dropped.

Everything else is refused with the code for the first fault, in the order: missing, wrong type, wrong value.
Over-long text is refused too, also where it only informs: a silently shortened serial number is a wrong one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, TypeAlias

from jsonschema_rs import ValidationError

from stations.ocpp.errors import CallRefused, ErrorCode
from stations.ocpp.framing import Payload, has_lone_surrogate
from stations.ocpp.schemas import REQUESTS, RESPONSES, SENDERS, Message, Sender, Shape
from stations.ocpp.versions import Version

__all__ = [
    "Checked",
    "Sender",
    "Violation",
    "action_known",
    "check_inbound",
    "check_reply",
    "direction",
    "order_request",
    "order_response",
    "validate_command",
    "validate_request",
    "validate_response",
]


@dataclass(frozen=True, slots=True)
class Checked:
    """A payload that fits its schema now. `repairs` counts what was removed, converted or dropped."""

    payload: Payload
    repairs: int


@dataclass(frozen=True, slots=True)
class Violation:
    """`path` names the field, `meterValue[0].timestamp`; empty for the payload as a whole."""

    error: ErrorCode
    path: str
    message: str

    def as_refusal(self) -> CallRefused:
        return CallRefused(self.error, self.message, {"field": self.path} if self.path else {})


def action_known(version: Version, action: str) -> bool:
    return action in SENDERS[version]


def direction(version: Version, action: str) -> Sender:
    """Which side may send `action`. Raises KeyError for an unknown one."""
    return SENDERS[version][action]


def check_inbound(version: Version, action: str, payload: Payload) -> Checked | Violation:
    """Judge a station's CALL (or SEND), repairing `payload` in place.

    An unknown action is NotImplemented, one that only we may send is NotSupported.
    """
    sender = SENDERS[version].get(action)
    if sender is None:
        return Violation(ErrorCode.NOT_IMPLEMENTED, "", "The action is not known.")
    if sender is Sender.CSMS:
        return Violation(ErrorCode.NOT_SUPPORTED, "", f"{action} is not for a station to send.")
    return _check(REQUESTS[version][action], version, payload)


def check_reply(version: Version, action: str, payload: Payload) -> Checked | Violation:
    """Judge a station's CALLRESULT to our `action`, repairing `payload` in place."""
    return _check(RESPONSES[version][action], version, payload)


def validate_request(version: Version, action: str, payload: Payload) -> Violation | None:
    """Judge without repairs. Raises KeyError for an unknown action."""
    return _first_violation(REQUESTS[version][action], payload)


def validate_response(version: Version, action: str, payload: Payload) -> Violation | None:
    """Judge without repairs. Raises KeyError for an unknown action."""
    return _first_violation(RESPONSES[version][action], payload)


def validate_command(version: Version, action: str, payload: Payload) -> list[tuple[str, str]]:
    """All faults of a request we are about to send, formats included: (field path, sentence), none if it fits.

    Raises KeyError for an unknown action.
    """
    validator = REQUESTS[version][action].strict_validator
    if has_lone_surrogate(payload):  # the validator would stop there without a word
        return [("", "The payload holds half of a surrogate pair.")]
    violations = [_violation(error) for error in validator.iter_errors(payload)]
    return [(violation.path, violation.message) for violation in violations]


def order_request(version: Version, action: str, payload: Mapping[str, Any]) -> Payload:
    """A copy with keys in schema order, at every level; keys unknown to the schema come last."""
    return _order_object(payload, REQUESTS[version][action].shape)


def order_response(version: Version, action: str, payload: Mapping[str, Any]) -> Payload:
    return _order_object(payload, RESPONSES[version][action].shape)


def _check(message: Message, version: Version, payload: Payload) -> Checked | Violation:
    if message.is_valid(payload):
        return Checked(payload, 0)
    repairs = 0
    if message.meter_field is not None:
        repairs = _repair_readings(message, version, payload.get(message.meter_field))
    repairs += _remove_surplus(payload, message.shape)
    return _first_violation(message, payload) or Checked(payload, repairs)


def _remove_surplus(value: object, shape: Shape) -> int:
    """Remove unknown fields and optional nulls, at every level."""
    repairs = 0
    if isinstance(value, dict):
        for name in list(value):
            child = shape.properties.get(name)
            if child is None:
                if not shape.is_open:
                    del value[name]
                    repairs += 1
            elif value[name] is None:
                if name not in shape.required and not child.is_any:
                    del value[name]
                    repairs += 1
            else:
                repairs += _remove_surplus(value[name], child)
    elif isinstance(value, list) and shape.items is not None:
        for item in value:
            repairs += _remove_surplus(item, shape.items)
    return repairs


def _repair_readings(message: Message, version: Version, readings: object) -> int:
    validator, shape = message.sample_validator, message.sample_shape
    if not isinstance(readings, list) or validator is None or shape is None:
        return 0
    repairs = 0
    for reading in readings:
        if not isinstance(reading, dict):
            continue
        samples = reading.get("sampledValue")
        if not isinstance(samples, list):
            reading["sampledValue"] = []
            repairs += 1
            continue
        kept = []
        for sample in samples:
            if not validator.is_valid(sample):
                repairs += _repair_sample(sample, shape, version)
                if not validator.is_valid(sample):
                    repairs += 1
                    continue
            kept.append(sample)
        reading["sampledValue"] = kept
    return repairs


def _repair_sample(sample: object, shape: Shape, version: Version) -> int:
    """Make a sample readable if only its form is wrong."""
    if not isinstance(sample, dict):
        return 0
    repairs = _remove_surplus(sample, shape)
    for name in [name for name, value in sample.items() if value == ""]:
        if name not in shape.required:
            del sample[name]
            repairs += 1
    value = sample.get("value")
    converted = _as_text(value) if version is Version.V16 else _as_number(value)
    if converted is not None:
        sample["value"] = converted
        repairs += 1
    return repairs


def _as_text(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _as_number(value: object) -> Decimal | None:
    if not isinstance(value, str) or len(value) > 40:
        return None
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number.adjusted()) < 20 else None


def _first_violation(message: Message, payload: Payload) -> Violation | None:
    if message.is_valid(payload):
        return None
    violations = [_violation(error) for error in message.validator.iter_errors(payload)]
    return min(violations, key=lambda violation: _SEVERITY[violation.error])


_SEVERITY = {
    ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION: 0,
    ErrorCode.TYPE_CONSTRAINT_VIOLATION: 1,
    ErrorCode.PROPERTY_CONSTRAINT_VIOLATION: 2,
}
Fault: TypeAlias = tuple[ErrorCode, str]

_OCCURRENCE = ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION
_PROPERTY = ErrorCode.PROPERTY_CONSTRAINT_VIOLATION
# Schema keyword → what it means in OCPP, and the end of a sentence that begins with the field. `{limit}` is the
# keyword's own argument. Values are never quoted: they may be id tokens or keys.
_FAULTS: Mapping[str, Fault] = {
    "required": (_OCCURRENCE, "is missing"),
    "additionalProperties": (_OCCURRENCE, "is not a field of this message"),
    "minItems": (_OCCURRENCE, "needs at least {limit} elements"),
    "maxItems": (_OCCURRENCE, "may have at most {limit} elements"),
    "type": (ErrorCode.TYPE_CONSTRAINT_VIOLATION, "must be of type {limit}"),
    "enum": (_PROPERTY, "is not one of the allowed values"),
    "minLength": (_PROPERTY, "must have at least {limit} characters"),
    "maxLength": (_PROPERTY, "is longer than {limit} characters"),
    "minimum": (_PROPERTY, "must be at least {limit}"),
    "maximum": (_PROPERTY, "must be at most {limit}"),
    "multipleOf": (_PROPERTY, "must be a multiple of {limit}"),
    "format": (_PROPERTY, "is not a valid {limit}"),
}
_OTHER_FAULT: Fault = (_PROPERTY, "is not allowed")


def _violation(error: ValidationError) -> Violation:
    kind = error.kind
    code, sentence = _FAULTS.get(kind.name, _OTHER_FAULT)
    arguments = kind.as_dict()
    path = list(error.instance_path)
    if kind.name == "required":
        path.append(str(arguments["property"]))
    elif kind.name == "additionalProperties":
        path.append(str(next(iter(arguments["unexpected"])))[:50])
    limit = next(iter(arguments.values()), "")
    if isinstance(limit, list):
        limit = " or ".join(str(item) for item in limit)
    field = _dotted(path)
    return Violation(code, field, f"{field or 'The payload'} {sentence.format(limit=limit)}.")


def _dotted(path: list[str | int]) -> str:
    return "".join(_steps(path)).removeprefix(".")


def _steps(path: list[str | int]) -> Iterator[str]:
    for step in path:
        yield f"[{step}]" if isinstance(step, int) else f".{step}"


def _order_object(value: Mapping[str, Any], shape: Shape) -> Payload:
    properties = shape.properties
    ordered = {
        name: _order(value[name], child) for name, child in properties.items() if name in value
    }
    if len(ordered) < len(value):
        ordered.update((name, item) for name, item in value.items() if name not in properties)
    return ordered


def _order(value: Any, shape: Shape) -> Any:
    if isinstance(value, Mapping):
        return _order_object(value, shape) if shape.properties else value
    if isinstance(value, list | tuple) and shape.items is not None:
        return [_order(item, shape.items) for item in value]
    return value
