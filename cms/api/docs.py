"""/api/v1/docs/: the schema as a page that reads without scripts, under our own content policy."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator

Node = Mapping[str, Any]

_METHODS = ("get", "post", "patch", "delete")
_MAX_DEPTH = 6


@dataclass(frozen=True, slots=True)
class Field:
    """One row of a table; `name` is a path such as `evses[].evse_id`."""

    name: str
    type: str
    notes: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one address."""

    id: str
    tag: str
    method: str
    path: str
    text: str
    parameters: list[Field]
    sent: list[Field]
    status: str
    answered: list[Field]


@require_safe
def api_docs(request: HttpRequest) -> HttpResponse:
    """Every address, what it takes and what it answers."""
    groups = [
        (tag.replace("-", " ").capitalize(), list(operations))
        for tag, operations in groupby(operations_of_the_api(), key=lambda o: o.tag)
    ]
    return render(request, "cms/api_docs.html", {"groups": groups})


@cache
def operations_of_the_api() -> list[Operation]:
    """Out of the schema, by tag and address; made once in a process, for the schema never changes."""
    generator = SchemaGenerator()  # type: ignore[no-untyped-call]
    schema = generator.get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    found = [
        _operation(schema, path, method, item[method])
        for path, item in schema["paths"].items()
        for method in _METHODS
        if method in item
    ]
    return sorted(found, key=lambda o: (o.tag, o.path, _METHODS.index(o.method.lower())))


def _operation(schema: Node, path: str, method: str, node: Node) -> Operation:
    status, answer = next(iter(node["responses"].items()))
    return Operation(
        id=node["operationId"],
        tag=node["tags"][0],
        method=method.upper(),
        path=path,
        text=node.get("description", ""),
        parameters=[_parameter(schema, parameter) for parameter in node.get("parameters", [])],
        sent=[
            field
            for field in _fields(schema, _body(node.get("requestBody", {})))
            if "shown only" not in field.notes
        ],
        status=status,
        answered=[
            field for field in _fields(schema, _body(answer)) if "never shown" not in field.notes
        ],
    )


def _body(node: Node) -> Node:
    content: Node = node.get("content", {}).get("application/json", {})
    body: Node = content.get("schema", {})
    return body


def _parameter(schema: Node, node: Node) -> Field:
    notes = [node["in"], *(["required"] if node.get("required") else [])]
    kind = _type(_resolved(schema, node["schema"]))
    return Field(node["name"], kind, tuple(notes), node.get("description", ""))


def _fields(schema: Node, node: Node, prefix: str = "", depth: int = 0) -> Iterator[Field]:
    """The properties of an object, those of objects inside following their owner."""
    node = _resolved(schema, node)
    if node.get("type") == "array":
        node, prefix = _resolved(schema, node["items"]), f"{prefix.rstrip('.')}[]."
    required = node.get("required", ())
    for name, given in node.get("properties", {}).items():
        inner = _resolved(schema, given)
        notes = [
            note
            for note, applies in (
                ("required", name in required and not inner.get("readOnly")),
                ("may be null", inner.get("nullable")),
                ("shown only", inner.get("readOnly")),
                ("never shown", inner.get("writeOnly")),
            )
            if applies
        ]
        yield Field(f"{prefix}{name}", _type(inner), tuple(notes), inner.get("description", ""))
        if depth < _MAX_DEPTH:
            yield from _fields(schema, inner, f"{prefix}{name}.", depth + 1)


def _resolved(schema: Node, node: Node) -> Node:
    """`node` with its references followed; what stands beside a reference wins."""
    beside = {key: value for key, value in node.items() if key not in ("$ref", "allOf", "oneOf")}
    if "$ref" in node:
        name = node["$ref"].rsplit("/", 1)[-1]
        return {**_resolved(schema, schema["components"]["schemas"][name]), **beside}
    # One real alternative, and the null or empty word that spectacular writes beside it.
    for option in [*node.get("allOf", []), *node.get("oneOf", [])]:
        return {**_resolved(schema, option), **beside}
    return node


def _type(node: Node) -> str:
    if "enum" in node:
        return " · ".join(str(word) for word in node["enum"])
    kind: str = node.get("type", "any")
    if kind == "array":
        items = node["items"]
        return f"list of {items['type']}" if "type" in items else "list"
    return {"date-time": "time", "uri": "address"}.get(node.get("format", ""), kind)
