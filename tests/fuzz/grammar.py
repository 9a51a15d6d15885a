"""Every 1.6 message a station may send, with one thing wrong, and what must come back.

A case is a payload grown from the published schema with a fault put into one field. What has to be answered is
worked out here from the schema by the `jsonschema` package and from what REST.md and RELIABILITY promise beyond
it (surplus fields and optional nulls are tolerated, unreadable samples dropped, senseless times stored); none of
the server's own checks is asked.
"""

import json
import random
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from tests.conformance.wire import judge_of, schema_of

Path = tuple[str | int, ...]
Payload = dict[str, Any]

ACTIONS = (
    "Authorize",
    "BootNotification",
    "DataTransfer",
    "DiagnosticsStatusNotification",
    "FirmwareStatusNotification",
    "Heartbeat",
    "LogStatusNotification",
    "MeterValues",
    "SecurityEventNotification",
    "SignCertificate",
    "SignedFirmwareStatusNotification",
    "StartTransaction",
    "StatusNotification",
    "StopTransaction",
)
OCCURRENCE = "OccurenceConstraintViolation"
PROPERTY = "PropertyConstraintViolation"
TYPE = "TypeConstraintViolation"
FORMATION = "FormationViolation"
_CODE_OF_KEYWORD = {
    "required": OCCURRENCE,
    "minItems": OCCURRENCE,
    "type": TYPE,
    "enum": PROPERTY,
    "maxLength": PROPERTY,
}

# Where readings lie: (message, field).
_READINGS = {"MeterValues": "meterValue", "StopTransaction": "transactionData"}
# What no meter shows, and no station has (`MAX_WH`, `MAX_CONNECTOR_ID` of the server's documentation).
_MOST_WH = 2**53
_MOST_CONNECTOR = 999
_INT64 = (-(2**63), 2**63 - 1)


@dataclass(frozen=True)
class Raw:
    """JSON text to be written as it is, for numbers and strings that Python would write otherwise."""

    text: str


REMOVED = object()


@dataclass(frozen=True)
class Case:
    """`expected` holds the codes that may be answered; "" stands for a CALLRESULT."""

    action: str
    fault: str
    text: str
    expected: frozenset[str]


# --- payloads that fit ------------------------------------------------------------------------


def resolved(node: Payload, root: Payload) -> Payload:
    reference = node.get("$ref")
    return root["definitions"][reference.rsplit("/", 1)[1]] if reference else node


def grown(node: Payload, root: Payload, rng: random.Random, name: str = "") -> Any:
    """A value that fits; optional fields come and go."""
    node = resolved(node, root)
    if "enum" in node:
        return rng.choice(node["enum"])
    match node["type"]:
        case "object":
            required = node.get("required", ())
            return {
                key: grown(child, root, rng, key)
                for key, child in node.get("properties", {}).items()
                if key in required or rng.random() < 0.7
            }
        case "array":
            return [grown(node["items"], root, rng, name) for _ in range(rng.randint(1, 3))]
        case "integer":
            return rng.randint(1, 4) if name == "connectorId" else rng.randint(0, 100_000)
    if node.get("format") == "date-time":
        return f"2026-{rng.randint(1, 10):02d}-{rng.randint(1, 28):02d}T12:{rng.randint(0, 59):02d}:00Z"
    if name == "value":
        return str(rng.randint(0, 10**6))
    length = min(12, node.get("maxLength", 12))
    return "".join(rng.choice("ABCDEF0123456789") for _ in range(length))


def fields(
    node: Payload, root: Payload, value: Any, path: Path = ()
) -> Iterator[tuple[Path, Payload]]:
    """Every field of a grown payload, and those it could have; with the schema of each."""
    node = resolved(node, root)
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from fields(node["items"], root, item, (*path, index))
    elif isinstance(value, dict):
        for name, child in node.get("properties", {}).items():
            yield (*path, name), resolved(child, root)
            if name in value:
                yield from fields(child, root, value[name], (*path, name))


# --- faults -----------------------------------------------------------------------------------

TEXTS: dict[str, str] = {
    "empty": "",
    "blank": " ",
    "NUL": "a\0b",
    "only NUL": "\0",
    "RTL": "\u202eabc\u202c",
    "emoji": "🔌⚡🚗",
    "combining": "e\u0301" * 5,
    "zero width": "a\u200bb",
    "byte order mark": "\ufeffx",
    "private use": "\U0010fffd",
    "line ends": "a\r\nb\tc",
    "script": "<script>alert()",
    "template": "{{7*7}}${7*7}",
    "SQL": "'; DROP TABLE x;--",
    "formula": "=cmd|' /C calc'!A0",
    "backslashes": "\\N\\.\\\\",
    "copy end": "\\.",
    "format": "%s%n%x{}",
    "path": "../../etc/passwd",
    "number": "1",
    "null word": "null",
    "control": "\x01\x1b[31m\x7f",
}
LONG_TEXTS = {"10 kB": "x" * 10_000, "100 kB": "é" * 50_000}
WRONG_TYPES: dict[str, Any] = {
    "null": None,
    "true": True,
    "number": 7,
    "fraction": 7.5,
    "text": "seven",
    "list": [],
    "list of text": ["x"],
    "object": {},
    "object with key": {"a": 1},
    "nested": [[[{"a": [None]}]]],
}
INTEGERS: dict[str, Any] = {
    "-1": -1,
    "0": 0,
    "1000": 1000,
    "2^31": 2**31,
    "-2^31-1": -(2**31) - 1,
    "2^53": 2**53,
    "2^53+1": 2**53 + 1,
    "2^63-1": 2**63 - 1,
    "2^63": 2**63,
    "-2^63-1": -(2**63) - 1,
    "2^64": 2**64,
    "10^19": 10**19,
    "10^21": 10**21,
    "10^400": Raw("1" + "0" * 400),
    "10^5000": Raw("1" + "0" * 5000),
    "1e400": Raw("1e400"),
    "1e999999999": Raw("1e999999999"),
    "1e-400": Raw("1e-400"),
    "1.0": Raw("1.0"),
    "1e2": Raw("1e2"),
    "1.5": 1.5,
    "-0": Raw("-0"),
    "text 1": "1",
    "NaN": Raw("NaN"),
    "Infinity": Raw("-Infinity"),
}
TIMES = (
    "",
    "0",
    "tomorrow",
    "2026-11-24T10:00:00",
    "1970-01-01T00:00:00Z",
    "2036-01-01T00:00:00Z",
    "0000-00-00T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "9999-12-31T24:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "2026-02-30T00:00:00Z",
    "2026-11-24T10:00:00+99:99",
    "٢٠٢٦-11-24T10:00:00Z",
    "2026-11-24 10:00:00Z",
)
SURROGATES = {"lone surrogate": Raw('"\\ud800"'), "half pair": Raw('"a\\udc00b"')}


def faults(node: Payload) -> Iterator[tuple[str, Any]]:
    """Name and value of everything to be tried on a field with this schema."""
    yield "removed", REMOVED
    for name, value in WRONG_TYPES.items():
        yield f"type {name}", value
    yield "deep", Raw("[" * 100 + "]" * 100)
    kind = node.get("type")
    if "enum" in node:
        yield "enum case", node["enum"][0].swapcase()
        yield "enum blank", f" {node['enum'][0]}"
        yield "enum NUL", f"{node['enum'][0]}\0"
    if kind == "string":
        for name, text in (TEXTS | LONG_TEXTS).items():
            yield f"text {name}", text
        yield from SURROGATES.items()
        if "maxLength" in node:
            for extra in (0, 1):
                yield f"length {extra:+d}", "x" * (node["maxLength"] + extra)
                yield f"length {extra:+d} emoji", "🔌" * (node["maxLength"] + extra)
        if node.get("format") == "date-time":
            for text in TIMES:
                yield f"time {text}", text
    if kind == "integer":
        yield from ((f"integer {name}", value) for name, value in INTEGERS.items())
    if kind == "array":
        yield "no elements", []
        yield "null element", [None]
        yield "text element", ["x"]


def put(payload: Payload, path: Path, value: Any) -> Payload:
    changed = deepcopy(payload)
    parent: Any = changed
    for step in path[:-1]:
        parent = parent[step]
    if value is REMOVED:
        parent.pop(path[-1], None)
    else:
        parent[path[-1]] = value
    return changed


# --- what must come back ------------------------------------------------------------------------


def expectation(action: str, payload: Payload) -> frozenset[str]:
    """The codes that may be answered to this payload, as read from the wire; "" is a result."""
    payload = deepcopy(payload)
    if field := _READINGS.get(action):
        _forget_samples(payload.get(field))
    schema = schema_of(action)
    _drop_surplus(payload, schema, schema)
    codes = set()
    for error in judge_of(action).iter_errors(payload):
        keyword = str(error.validator)
        if keyword in ("format", "additionalProperties"):
            continue  # senseless times are stored; what is surplus in an object was dropped above
        if keyword == "minItems" and error.path and error.path[-1] == "sampledValue":
            continue
        codes.add(_CODE_OF_KEYWORD[keyword])
    codes |= {PROPERTY for value in _integers(payload) if not _INT64[0] <= value <= _INT64[1]}
    if not codes and _is_senseless(action, payload):
        codes.add(PROPERTY)
    # Of several faults in one field the plainest is told: it is missing, it is of another type, its value is wrong.
    plainest = next((code for code in (OCCURRENCE, TYPE, PROPERTY) if code in codes), None)
    return frozenset({plainest} if plainest else codes or {""})


def _is_senseless(action: str, payload: Payload) -> bool:
    """A start on no connector, a register that no meter shows: what could not even be kept."""
    if action == "StartTransaction":
        named = 1 <= payload["connectorId"] <= _MOST_CONNECTOR
        return not named or abs(payload["meterStart"]) > _MOST_WH
    return action == "StopTransaction" and abs(payload["meterStop"]) > _MOST_WH


def _drop_surplus(value: Any, node: Payload, root: Payload) -> None:
    node = resolved(node, root)
    if isinstance(value, dict) and node.get("type") == "object":
        properties = node.get("properties", {})
        for name in list(value):
            if name not in properties or (
                value[name] is None and name not in node.get("required", ())
            ):
                del value[name]
            else:
                _drop_surplus(value[name], properties[name], root)
    elif isinstance(value, list) and node.get("type") == "array":
        for item in value:
            _drop_surplus(item, node["items"], root)


def _forget_samples(readings: Any) -> None:
    """What a sample says wrongly makes it unreadable, never the message; a reading may have none."""
    for reading in readings if isinstance(readings, list) else ():
        if isinstance(reading, dict):
            reading["sampledValue"] = []


def _integers(value: Any) -> Iterator[int]:
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _integers(item)
    elif isinstance(value, int) and not isinstance(value, bool):
        yield value


def encoded(value: Any) -> str:
    """JSON, with `Raw` text where it stands."""
    raws: list[str] = []

    def mark(item: Any) -> Any:
        if isinstance(item, Raw):
            raws.append(item.text)
            return f"\ufdd0{len(raws) - 1}\ufdd0"
        if isinstance(item, dict):
            return {name: mark(child) for name, child in item.items()}
        return [mark(child) for child in item] if isinstance(item, list) else item

    text = json.dumps(mark(value), ensure_ascii=False)
    for index, raw in enumerate(raws):
        text = text.replace(f'"\ufdd0{index}\ufdd0"', raw)
    return text


def as_read(value: Any) -> Any:
    """What the wire says, whole numbers as integers (`1.0` is one to JSON Schema)."""
    return json.loads(encoded(value), parse_float=lambda text: _whole(float(text)))


def _whole(number: float) -> int | float:
    return int(number) if number.is_integer() else number


# --- cases ----------------------------------------------------------------------------------------


def cases(rng: random.Random, share: float = 1) -> Iterator[Case]:
    """Without end: round after round, each field of each message with each fault, on ever new payloads.

    With a smaller `share` some faults are left out of each round.
    """
    while True:
        one_round = [case for action in ACTIONS for case in _cases_of(action, rng, share)]
        rng.shuffle(one_round)
        yield from one_round


def _cases_of(action: str, rng: random.Random, share: float) -> Iterator[Case]:
    schema = schema_of(action)
    payload = grown(schema, schema, rng)
    yield Case(action, "as it should be", encoded(payload), expectation(action, payload))
    surplus = put(payload, ("surplus",), rng.choice([None, {"a": [1]}, 10**18, "x"]))
    yield Case(action, "surplus field", encoded(surplus), expectation(action, surplus))
    for path, node in fields(schema, schema, payload):
        for name, value in faults(node):
            if rng.random() >= share:
                continue
            changed = put(payload, path, value)
            code = frame_code(value)
            expected = frozenset({code}) if code else expectation(action, as_read(changed))
            where = ".".join(str(step) for step in path)
            yield Case(action, f"{where}: {name}", encoded(changed), expected)
    text = encoded(payload)
    for name, broken in (
        ("a list", "[]"),
        ("a text", '"x"'),
        ("a number", "5"),
        ("true", "true"),
        ("nothing", ""),
        ("cut", text[: rng.randrange(len(text))]),
        ("closed twice", text + "}"),
        ("followed by more", text + ",{}"),
        ("without a value", text[:-1] + ',"transactionId":,"x":1}'),
        ("with an empty element", text[:-1] + ',"x":[,{}]}'),
        ("with a bare NUL", text[:-1] + ',"x":"\0"}'),
        ("with a comment", text + "/* */"),
        ("with single quotes", "{'a':1}"),
    ):
        yield Case(action, f"payload {name}", broken, frozenset({FORMATION}))


def frame_code(value: Any) -> str | None:
    """The code of what no frame may hold, wherever it stands and whatever its message."""
    if not isinstance(value, Raw):
        return None
    text = value.text
    if value in SURROGATES.values() or text.startswith("[[") or text in ("NaN", "-Infinity"):
        return FORMATION
    if len(text) > 64 or text in ("1e400", "1e-400", "1e999999999"):
        return PROPERTY
    return None
