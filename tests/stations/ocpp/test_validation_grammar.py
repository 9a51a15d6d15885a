"""Every message a station may send, one field at a time removed, retyped, nulled, oversized or joined by another.

The payloads are built from the schema files themselves, the faults put into them here.
"""

import json
from collections.abc import Iterator
from copy import deepcopy
from importlib.resources import files
from typing import Any

import pytest

from stations.ocpp.errors import ErrorCode
from stations.ocpp.schemas import SENDERS, UNANSWERED, Sender
from stations.ocpp.validation import Checked, Violation, check_inbound
from stations.ocpp.versions import Version

OCCURRENCE = ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION
PROPERTY = ErrorCode.PROPERTY_CONSTRAINT_VIOLATION
TYPE = ErrorCode.TYPE_CONSTRAINT_VIOLATION

FOLDERS = {Version.V16: "v16", Version.V201: "v201", Version.V21: "v21"}
STATION_MESSAGES = [
    (version, action)
    for version in Version
    for action, sender in SENDERS[version].items()
    if sender is not Sender.CSMS
]

Path = tuple[str | int, ...]


def schema_of(version: Version, action: str) -> dict[str, Any]:
    suffix = "" if version is Version.V16 or action in UNANSWERED else "Request"
    path = files("ocpp") / FOLDERS[version] / "schemas" / f"{action}{suffix}.json"
    schema: dict[str, Any] = json.loads(path.read_text(encoding="utf-8-sig"))
    return schema


def resolved(node: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    reference = node.get("$ref")
    return root["definitions"][reference.rsplit("/", 1)[1]] if reference else node


def full_value(node: dict[str, Any], root: dict[str, Any]) -> Any:
    """A value that fits, with every optional field present."""
    node = resolved(node, root)
    if "enum" in node:
        return node["enum"][0]
    match node.get("type"):
        case "object":
            return {name: full_value(child, root) for name, child in node["properties"].items()}
        case "array":
            return [full_value(node["items"], root) for _ in range(max(1, node.get("minItems", 1)))]
        case "integer" | "number":
            return int(min(max(1, node.get("minimum", 1)), node.get("maximum", 1)))
        case "boolean":
            return True
    return "x" * min(8, node.get("maxLength", 8))


def fields(
    node: dict[str, Any], root: dict[str, Any], path: Path = ()
) -> Iterator[tuple[Path, dict[str, Any], bool]]:
    """Every named field outside of meter samples: (path, its schema, whether it is required)."""
    node = resolved(node, root)
    if node.get("type") == "array":
        yield from fields(node["items"], root, (*path, 0))
    for name, child in node.get("properties", {}).items():
        if name == "sampledValue":
            continue
        yield (*path, name), resolved(child, root), name in node.get("required", ())
        yield from fields(child, root, (*path, name))


def parent_of(payload: Any, path: Path) -> Any:
    for step in path[:-1]:
        payload = payload[step]
    return payload


def changed(payload: dict[str, Any], path: Path, value: Any) -> dict[str, Any]:
    payload = deepcopy(payload)
    parent_of(payload, path)[path[-1]] = value
    return payload


def without(payload: dict[str, Any], path: Path) -> dict[str, Any]:
    payload = deepcopy(payload)
    del parent_of(payload, path)[path[-1]]
    return payload


def wrong_types(node: dict[str, Any]) -> list[Any]:
    match node.get("type"):
        case "string":
            return [5, True, ["x"], {"x": "x"}]
        case "integer":
            return ["1", True, [1], {}]
        case "number":
            return ["1", False, [1], {}]
        case "boolean":
            return ["true", 1, []]
        case "array":
            return ["x", 1, {}]
        case "object":
            return ["x", 1, []]
    return []


def wrong_values(node: dict[str, Any]) -> Iterator[tuple[Any, ErrorCode]]:
    if "enum" in node:
        yield node["enum"][0].swapcase(), PROPERTY
    if "maxLength" in node:
        yield "x" * (node["maxLength"] + 1), PROPERTY
    if node.get("type") == "integer":
        yield 2**63, PROPERTY
        yield -(2**63) - 1, PROPERTY
        yield 10**400, PROPERTY
    if node.get("minItems", 0) > 0:
        yield [], OCCURRENCE


def dotted(path: Path) -> str:
    return "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in path).removeprefix(".")


@pytest.mark.parametrize(("version", "action"), STATION_MESSAGES)
def test_each_fault_gets_its_code_and_names_its_field(version: Version, action: str) -> None:
    schema = schema_of(version, action)
    payload = full_value(schema, schema)
    assert check_inbound(version, action, deepcopy(payload)) == Checked(payload, 0)

    def refuses(bad: dict[str, Any], path: Path, error: ErrorCode) -> None:
        outcome = check_inbound(version, action, bad)
        assert isinstance(outcome, Violation), (path, bad)
        assert (outcome.error, outcome.path) == (error, dotted(path))

    for path, node, required in fields(schema, schema):
        smaller = without(payload, path)
        if required:
            refuses(smaller, path, OCCURRENCE)
        else:
            assert check_inbound(version, action, deepcopy(smaller)) == Checked(smaller, 0)
        if "type" in node:
            null = changed(payload, path, None)
            if required:
                refuses(null, path, TYPE)
            else:
                assert check_inbound(version, action, null) == Checked(smaller, 1)
        for value in wrong_types(node):
            refuses(changed(payload, path, value), path, TYPE)
        for value, error in wrong_values(node):
            refuses(changed(payload, path, value), path, error)


@pytest.mark.parametrize(("version", "action"), STATION_MESSAGES)
def test_a_surplus_field_is_removed_wherever_it_stands(version: Version, action: str) -> None:
    schema = schema_of(version, action)
    payload = full_value(schema, schema)
    places = [()] + [
        path
        for path, node, _ in fields(schema, schema)
        if node.get("type") == "object" and node.get("additionalProperties") is False
    ]
    for path in places:
        outcome = check_inbound(version, action, changed(payload, (*path, "surplus"), {"a": [1]}))
        assert outcome == Checked(payload, 1), path
