"""Requests that no program should send, made from the API's own description of itself.

`operations` pairs each address that takes a body with one it would accept; `mutants` spoils it field by field;
`accepts` says, by the published schema alone, whether a body could be right.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from typing import Any

from jsonschema import Draft7Validator

from tests.fuzz.grammar import LONG_TEXTS, REMOVED, SURROGATES, TEXTS, Path, Raw, encoded

Body = dict[str, Any]

VALUES: dict[str, Any] = {
    **{f"text {name}": text for name, text in (TEXTS | LONG_TEXTS).items()},
    **SURROGATES,
    "null": None,
    "true": True,
    "list": [],
    "list of lists": [[[]]],
    "list of null": [None],
    "list of text": ["x", "x"],
    "object": {},
    "object with odd keys": {"": 1, "a\0": 2, "__proto__": 3, "😀": 4},
    "a thousand objects": [{}] * 1000,
    "deep list": Raw("[" * 500 + "]" * 500),
    "deep object": Raw('{"a":' * 500 + "1" + "}" * 500),
    "0": 0,
    "-1": -1,
    "1": 1,
    "2^15": 2**15,
    "2^31": 2**31,
    "2^63": 2**63,
    "2^64": 2**64,
    "10^29": 10**29,
    "10^31": 10**31,
    "10^400": Raw("1" + "0" * 400),
    "10^5000": Raw("1" + "0" * 5000),
    "1.5": 1.5,
    "1.0": Raw("1.0"),
    "-0": Raw("-0"),
    "1e400": Raw("1e400"),
    "1e-400": Raw("1e-400"),
    "1e999999999": Raw("1e999999999"),
    "0.1 long": Raw("0." + "1" * 60),
    "NaN": Raw("NaN"),
    "Infinity": Raw("Infinity"),
    "bad escape": Raw('"\\x"'),
    "control in text": Raw('"a\nb"'),
    "time": "2026-11-24T10:00:00Z",
    "time without zone": "2026-11-24T10:00:00",
    "time year 1": "0001-01-01T00:00:00+14:00",
    "time year 9999": "9999-12-31T23:59:59-14:00",
    "time day 30 February": "2026-02-30T00:00:00Z",
    "time other digits": "٢٠٢٦-11-24T10:00:00Z",
    "date": "2026-11-24",
}

NO_OBJECTS: dict[str, bytes] = {
    "nothing": b"",
    "a word": b"hello",
    "an open brace": b"{",
    "a list": b"[]",
    "a list of objects": b"[{}]",
    "null": b"null",
    "a number": b"1",
    "a text": b'"x"',
    "two objects": b"{}{}",
    "a key twice": b'{"a":1,"a":2}',
    "invalid UTF-8": b'{"a":"\xff\xfe"}',
    "invalid UTF-8 key": b'{"\xc3\x28":1}',
    "overlong UTF-8": b'{"a":"\xc0\xaf"}',
    "UTF-16": "{}".encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf{}",
    "NUL": b"\0",
    "NUL after it": b"{}\0",
    "surrogate key": b'{"\\ud800":1}',
    "NUL key": b'{"\\u0000":1}',
    "deep lists": b'{"a":' + b"[" * 100_000,
    "deep objects": b'{"a":' * 100_000,
    "many keys": ("{" + ",".join(f'"k{n}":{n}' for n in range(20_000)) + "}").encode(),
    "a long number": b'{"a":' + b"9" * 100_000 + b"}",
    "over one MiB": b'{"a":"' + b"x" * (1024 * 1024) + b'"}',
}
CONTENT_TYPES = (
    "",
    "text/plain",
    "application/xml",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "multipart/form-data; boundary=x",
    "application/json; charset=utf-16",
    "application/json; charset=nonsense",
    "application/json;;;=",
    "application/merge-patch+json",
    "APPLICATION/JSON",
    "*/*",
    "\xff/\xff",
    "x" * 5000,
)
HEADERS: tuple[dict[str, str], ...] = (
    {"Idempotency-Key": ""},
    {"Idempotency-Key": "x" * 256},
    {"Idempotency-Key": "é"},
    {"Idempotency-Key": "a\tb"},
    {"Accept": "text/html"},
    {"Accept": "application/xml;q=0.1"},
    {"Accept": "nonsense"},
    {"Accept": "\xff"},
    {"Accept-Language": "x" * 5000},
    {"Accept-Encoding": "br;q=nonsense"},
    {"Content-Encoding": "gzip"},
    {"X-HTTP-Method-Override": "DELETE"},
    {"Authorization": "Bearer"},
    {"Authorization": "Bearer \xff"},
    {"Authorization": "Bearer a b c"},
    {"Authorization": "Basic Og=="},
    {"Authorization": "Bearer " + "x" * 5000},
    {"Cookie": 'sessionid="; csrftoken=\x7f'},
    {"Range": "bytes=0-0,5-1"},
    {"If-Match": '"x'},
    {"Host": "evil.example:99999"},
    {"X-Forwarded-For": "' OR 1=1"},
    {"X-Forwarded-Proto": "javascript"},
)
QUERY_VALUES = (
    "",
    " ",
    "%00",
    "%ff",
    "%ED%A0%80",
    "%F0%9F%98%80",
    "%u0041",
    "a" * 300,
    "0",
    "-1",
    "1.5",
    "9" * 30,
    "9" * 400,
    "NaN",
    "null",
    "true",
    "[]",
    "{}",
    "'; DROP TABLE x;--",
    "%25%s%n",
    "__class__",
    "2026-11-24T10:00:00Z",
    "2026-11-24T10:00:00+99:99",
    "0001-01-01T00:00:00%2B14:00",
    "9999-12-31T23:59:59-14:00",
    "id,name",
    "-id",
    "--id",
    "operator__slug",
    "?",
    "pk",
    "../..",
    "<script>",
    "W10",
    "WyJhIiwiMSIsIjEiXQ",
    "WyJhIiwiMjAyNi0xMS0yNFQxMDowMDowMFoiLCIxIl0",
    "WyJBIiwiXHUwMDAwIiwiMSJd",
    "WyJiIixudWxsLCIxIl0",
    "W1tbW1tbW1tb",
    "eyJhIjoxfQ",
    "%D9%A1",
)
IDS = (
    "0",
    "-1",
    "01",
    "1.0",
    "9" * 19,
    "9" * 400,
    "%00",
    "%ff",
    "%2F",
    "..%2f",
    "%D9%A1",
    "x",
    "None",
    "1e3",
    "%20",
    "1%0a",
    "😀",
    "{id}",
)


@dataclass(frozen=True)
class Operation:
    """One method of one address. `body` would be accepted; None where it takes none."""

    method: str
    pattern: str
    path: str
    body: Body | None
    schema: Body | None
    query: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.method} {self.pattern}"


@dataclass(frozen=True)
class Attempt:
    """`must_fail`: by the published description it cannot be right."""

    operation: Operation
    fault: str
    path: str
    content: bytes | None
    headers: Mapping[str, str]
    must_fail: bool = False


def operations(
    description: Body, paths: Mapping[str, str], bodies: Mapping[str, Body]
) -> list[Operation]:
    """From the OpenAPI description; `paths` has an address and `bodies` a body for each that needs one.

    Raises KeyError for an address that nobody thought of.
    """
    found = []
    for pattern, methods in description["paths"].items():
        short = pattern.removeprefix("/api/v1")
        for method, operation in methods.items():
            name = f"{method.upper()} {short}"
            content = operation.get("requestBody", {}).get("content", {})
            reference = content.get("application/json", {}).get("schema")
            query = tuple(p["name"] for p in operation.get("parameters", ()) if p["in"] == "query")
            made = Operation(
                method.upper(),
                short,
                paths[short] if "{" in short else short,
                bodies[name] if reference else None,
                _plain(reference, description) if reference else None,
                query,
            )
            assert made.body is None or accepts(made, made.body), name
            found.append(made)
    return found


def _plain(node: Any, description: Body) -> Any:
    """A schema of OpenAPI 3.0 as JSON Schema: references resolved, `nullable` said, what is only shown left out."""
    if isinstance(node, list):
        return [_plain(item, description) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        name = node["$ref"].rsplit("/", 1)[1]
        return _plain(description["components"]["schemas"][name], description)
    settable = {
        name: child
        for name, child in node.get("properties", {}).items()
        if not child.get("readOnly")
    }
    kept = {key: value for key, value in node.items() if key not in ("nullable", "required")}
    plain = _plain_values(kept | ({"properties": settable} if settable else {}), description)
    if required := [name for name in node.get("required", ()) if name in settable]:
        plain["required"] = required
    return {"anyOf": [plain, {"type": "null"}]} if node.get("nullable") else plain


def _plain_values(node: Body, description: Body) -> Body:
    return {
        key: {name: _plain(child, description) for name, child in value.items()}
        if key == "properties"
        else _plain(value, description)
        for key, value in node.items()
    }


def accepts(operation: Operation, body: Body) -> bool:
    """Whether the body fits the published schema. Formats are not judged, surplus fields are."""
    assert operation.schema is not None
    return not list(Draft7Validator(operation.schema).iter_errors(body))


def places(value: Any, path: Path = ()) -> Iterator[Path]:
    if path:
        yield path
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for step, item in items:
        yield from places(item, (*path, step))


def mutants(operation: Operation) -> Iterator[Callable[[], Attempt]]:
    """Every field of the body with every odd value, and without each field; made when called."""
    for path in places(operation.body):
        for name, value in VALUES.items():
            yield partial(_mutant, operation, path, name, value)
        if isinstance(path[-1], str):
            yield partial(_mutant, operation, path, "removed", REMOVED)
    yield partial(_mutant, operation, ("surplus",), "surplus", 1)


def _mutant(operation: Operation, path: Path, name: str, value: Any) -> Attempt:
    body: Any = deepcopy(operation.body)
    parent = body
    for step in path[:-1]:
        parent = parent[step]
    if value is REMOVED:
        del parent[path[-1]]
    else:
        parent[path[-1]] = value
    content = encoded(body).encode("utf-8", "surrogatepass")
    # Of a tariff OCPI's reader is the judge: it takes null for absent, and keeps what others have added.
    lenient = "tariffs" in operation.pattern and (value is None or name == "surplus")
    must_fail = name == "surplus" or not _may_be_right(operation, content)
    return Attempt(
        operation,
        f"{'.'.join(str(step) for step in path)}: {name}",
        operation.path,
        content,
        {"Content-Type": "application/json"},
        must_fail and not lenient,
    )


def _may_be_right(operation: Operation, content: bytes) -> bool:
    try:
        body = json.loads(content, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return False
    return accepts(operation, body)


def _refuse(name: str) -> Any:
    raise ValueError(name)


def crooked(operation: Operation) -> Iterator[Attempt]:
    """Odd envelopes of a right body, and bodies that are no object."""
    json_type = {"Content-Type": "application/json"}
    right = None if operation.body is None else json.dumps(operation.body).encode()
    if right is not None:
        for name, content in NO_OBJECTS.items():
            yield Attempt(operation, f"body: {name}", operation.path, content, json_type)
        for content_type in CONTENT_TYPES:
            yield Attempt(
                operation,
                f"type {content_type[:40]!r}",
                operation.path,
                right,
                {"Content-Type": content_type},
            )
    for header in HEADERS if operation.pattern == "/id-tokens/" else ():
        yield Attempt(
            operation, f"header {str(header)[:60]}", operation.path, right, json_type | header
        )
    if operation.query or operation.method == "GET":
        for name in operation.query:
            for value in QUERY_VALUES:
                yield Attempt(
                    operation,
                    f"?{name}={value[:40]}",
                    f"{operation.path}?{name}={value}",
                    right,
                    json_type,
                )
        for name in ("surplus", "format", "page", "limit[]", "%00", "%ff"):
            for value in ("1", "json"):
                yield Attempt(
                    operation,
                    f"?{name}={value}",
                    f"{operation.path}?{name}={value}",
                    right,
                    json_type,
                )
        if operation.query:
            twice = "&".join(f"{operation.query[0]}={n}" for n in (1, 2))
            yield Attempt(operation, "given twice", f"{operation.path}?{twice}", right, json_type)
    if "{" in operation.pattern:
        start, _, end = operation.pattern.partition("{")
        for identifier in IDS:
            path = start + identifier + end.partition("}")[2]
            yield Attempt(operation, f"id {identifier[:20]}", path, right, json_type)
