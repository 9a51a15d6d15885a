"""The OpenAPI schema agrees with the REST page: what it promises is here, under the same names.

The lists are written out from that page. More may be there; nothing of this may be missing.
"""

import io
from typing import Any

import pytest
from django.core.management import call_command
from drf_spectacular.generators import SchemaGenerator

Node = dict[str, Any]

PRICE = {
    "currency",
    "final",
    "net_minor",
    "tax_minor",
    "gross_minor",
    "lines[].dimension",
    "lines[].quantity",
    "lines[].unit",
    "lines[].unit_price",
    "lines[].vat_percent",
    "lines[].net_minor",
    "lines[].tax_minor",
    "lines[].gross_minor",
    "lines[].from",
    "lines[].to",
}
STATION = {
    "identity",
    "name",
    "location",
    "registration_status",
    "security_profile",
    "online",
    "protocol",
    "last_seen_at",
    "vendor",
    "model",
    "serial_number",
    "firmware_version",
    "status",
    "error_code",
    "limits",
    "evses[].evse_id",
    "evses[].connectors[].connector_id",
    "evses[].connectors[].standard",
    "evses[].connectors[].power_type",
    "evses[].connectors[].max_power_w",
    "evses[].connectors[].status",
    "evses[].connectors[].error_code",
    "evses[].connectors[].status_at",
}
COMMAND = {
    "id",
    "station",
    "action",
    "payload",
    "status",
    "response",
    "error",
    "created_at",
    "sent_at",
    "finished_at",
    "expires_at",
}
TOKEN = {
    "id",
    "uid",
    "type",
    "status",
    "expires_at",
    "group",
    "driver",
    "max_concurrent",
    "last_used_at",
}
TRANSACTION = {
    "id",
    "station",
    "evse_id",
    "connector_id",
    "ocpp_transaction_id",
    "id_token",
    "status",
    "started_at",
    "ended_at",
    "device_started_at",
    "device_ended_at",
    "received_started_at",
    "received_ended_at",
    "meter_start_wh",
    "meter_stop_wh",
    "energy_wh",
    "stop_reason",
    "remote_start_id",
    "needs_review",
    "review_reasons",
    "session",
}
METER_VALUE = {
    "at",
    "device_at",
    "received_at",
    "measurand",
    "phase",
    "location",
    "context",
    "unit",
    "value",
    "raw_value",
    "raw_unit",
    "signed",
}
SESSION = {
    "id",
    "status",
    "transaction",
    "station",
    "driver",
    "id_token",
    "tariff.id",
    "tariff.version",
    "payment",
    "cdr",
    *(f"price.{name}" for name in PRICE),
}
CDR = {
    "id",
    "number",
    "session",
    "transaction",
    "station",
    "evse_id",
    "connector_id",
    "id_token",
    "started_at",
    "ended_at",
    "energy_wh",
    "duration_s",
    "idle_s",
    "tariff",
    "credit_of",
    "created_at",
    *(f"price.{name}" for name in PRICE),
}
TARIFF = {
    "id",
    "version",
    "status",
    "currency",
    "elements[].price_components[].type",
    "elements[].price_components[].price",
    "elements[].price_components[].vat",
    "elements[].price_components[].step_size",
    "elements[].restrictions",
    "min_price",
    "max_price",
    "start_date_time",
    "end_date_time",
    "tariff_alt_text",
    "x_magetsi.name",
    "x_magetsi.idle_grace_s",
    "x_magetsi.idle_cap",
    "x_magetsi.country",
}
MESSAGE = {"at", "direction", "type", "action", "message_id", "payload"}
LOCATION = {
    "id",
    "name",
    "address",
    "city",
    "postal_code",
    "country",
    "coordinates.latitude",
    "coordinates.longitude",
    "time_zone",
}

# Address → fields of a row of its list.
LISTS = {
    "/stations/": STATION,
    "/stations/{identity}/messages/": MESSAGE,
    "/stations/{identity}/handshake-failures/": {"id", "reason"},
    "/stations/{identity}/commands/": COMMAND,
    "/commands/": COMMAND,
    "/id-tokens/": TOKEN,
    "/id-token-groups/": {"name", "master"},
    "/unknown-id-tokens/": {"id", "uid"},
    "/transactions/": TRANSACTION,
    "/transactions/{id}/meter-values/": METER_VALUE,
    "/sessions/": SESSION,
    "/cdrs/": CDR,
    "/tariffs/": TARIFF,
    "/tariff-assignments/": {"tariff", "station", "evse_id", "location", "group", "operator"},
    "/locations/": LOCATION,
    "/audit/": {"at", "action"},
}
# Address → fields of the one row it shows.
ROWS = {
    "/stations/{identity}/": STATION,
    "/commands/{id}/": COMMAND,
    "/id-tokens/{id}/": TOKEN,
    "/transactions/{id}/": TRANSACTION,
    "/sessions/{id}/": SESSION,
    "/cdrs/{id}/": CDR,
    "/tariffs/{id}/": TARIFF,
    "/locations/{id}/": LOCATION,
    "/operators/me/": {"slug", "role"},
}
# Address, method → fields it takes, status of success, fields of the answer.
WRITES = {
    ("/stations/", "post"): (
        {
            "identity",
            "name",
            "location",
            "registration_status",
            "security_profile",
            "password",
            "password_hex",
            "evses[].evse_id",
            "evses[].connectors[].connector_id",
            "evses[].connectors[].standard",
            "evses[].connectors[].power_type",
            "evses[].connectors[].max_power_w",
        },
        "201",
        STATION | {"password"},
    ),
    ("/stations/{identity}/", "patch"): (
        {"name", "location", "registration_status", "security_profile", "password", "evses"},
        "200",
        STATION,
    ),
    ("/stations/{identity}/commands/", "post"): (
        {"action", "payload", "expires_at"},
        "202",
        COMMAND,
    ),
    ("/stations/{identity}/start/", "post"): (
        {"id_token", "evse_id", "connector_id"},
        "202",
        COMMAND,
    ),
    ("/stations/{identity}/stop/", "post"): ({"transaction"}, "202", COMMAND),
    ("/stations/{identity}/unlock/", "post"): ({"evse_id", "connector_id"}, "202", COMMAND),
    ("/stations/{identity}/reset/", "post"): ({"type"}, "202", COMMAND),
    ("/stations/{identity}/availability/", "post"): (
        {"operative", "evse_id", "connector_id"},
        "202",
        COMMAND,
    ),
    ("/commands/{id}/cancel/", "post"): (set(), "200", COMMAND),
    ("/id-tokens/", "post"): (
        {"uid", "type", "status", "expires_at", "group", "driver", "max_concurrent"},
        "201",
        TOKEN,
    ),
    ("/id-tokens/{id}/", "patch"): (
        {"type", "status", "expires_at", "group", "driver", "max_concurrent"},
        "200",
        TOKEN,
    ),
    ("/id-token-groups/", "post"): ({"name", "master"}, "201", {"name", "master"}),
    ("/id-token-groups/{id}/", "patch"): ({"name", "master"}, "200", {"name", "master"}),
    ("/tariffs/", "post"): (TARIFF - {"version", "status"}, "201", TARIFF),
    ("/tariff-assignments/", "post"): (
        {"tariff", "station", "evse_id", "location", "group", "operator"},
        "201",
        {"tariff"},
    ),
    ("/quotes/", "post"): (
        {"station", "evse_id", "id_token", "starts_at", "energy_wh", "charging_s", "idle_s"},
        "200",
        {f"price.{name}" for name in PRICE},
    ),
    ("/sessions/{id}/release/", "post"): ({"energy_wh", "reason"}, "200", SESSION),
    ("/locations/", "post"): (LOCATION - {"id"}, "201", LOCATION),
}
FILTERS = {
    "/stations/{identity}/messages/": {"action", "direction", "since"},
    "/id-tokens/": {"uid", "status", "group"},
    "/transactions/": {"station", "id_token", "status", "started_after"},
}
WORDS = {
    ("/stations/", "registration_status"): {"accepted", "pending", "rejected"},
    ("/stations/{identity}/messages/", "direction"): {"in", "out"},
    ("/stations/{identity}/messages/", "type"): {"call", "result", "error"},
    ("/commands/", "status"): {
        "queued",
        "sent",
        "accepted",
        "rejected",
        "error",
        "timed_out",
        "cancelled",
    },
    ("/id-tokens/", "status"): {"accepted", "blocked", "invalid", "expired"},
    ("/transactions/", "status"): {"active", "ended"},
    ("/transactions/", "review_reasons[]"): {
        "meter_decreased",
        "meter_stop_below_start",
        "implausible_energy",
        "implausible_duration",
        "superseded",
        "conflicting_stop",
        "unknown_transaction",
        "clock_implausible",
        "no_stop",
        "estimated",
        "no_tariff",
        "sequence_gap",
    },
    ("/sessions/", "status"): {
        "pending",
        "active",
        "ended",
        "in_review",
        "completed",
        "cancelled",
    },
    ("/cdrs/", "price.lines[].dimension"): {
        "ENERGY",
        "TIME",
        "PARKING_TIME",
        "FLAT",
        "RESERVATION",
    },
}
TYPES = {
    ("/transactions/", "id"): "string",
    ("/transactions/", "ocpp_transaction_id"): "string",
    ("/transactions/", "energy_wh"): "integer",
    ("/transactions/", "started_at"): "date-time",
    ("/transactions/{id}/meter-values/", "value"): "number",
    ("/transactions/{id}/meter-values/", "raw_value"): "string",
    ("/stations/", "online"): "boolean",
    ("/stations/", "evses[].connectors[].max_power_w"): "integer",
    ("/cdrs/", "price.gross_minor"): "integer",
    ("/id-tokens/", "max_concurrent"): "integer",
}


@pytest.fixture(scope="module")
def schema() -> Node:
    built: Node = SchemaGenerator().get_schema(request=None, public=True)
    return built


class Reader:
    """Looks things up in the schema by address, as the REST page names them."""

    def __init__(self, schema: Node) -> None:
        self.schema = schema

    def operation(self, path: str, method: str) -> Node:
        operation: Node = self.schema["paths"][f"/api/v1{path}"][method]
        return operation

    def sent(self, path: str, method: str) -> dict[str, Node]:
        body = self.operation(path, method).get("requestBody")
        if body is None:
            return {}
        fields = self.fields(body["content"]["application/json"]["schema"])
        return {name: node for name, node in fields.items() if not node.get("readOnly")}

    def answered(self, path: str, method: str, status: str) -> dict[str, Node]:
        response = self.operation(path, method)["responses"][status]
        fields = self.fields(response["content"]["application/json"]["schema"])
        return {name: node for name, node in fields.items() if not node.get("writeOnly")}

    def listed(self, path: str) -> dict[str, Node]:
        fields = self.answered(path, "get", "200")
        assert {"next", "previous", "results"} <= set(fields)
        prefix = "results[]."
        return {n.removeprefix(prefix): f for n, f in fields.items() if n.startswith(prefix)}

    def resolved(self, node: Node) -> Node:
        beside = {k: v for k, v in node.items() if k not in ("$ref", "allOf", "oneOf")}
        if "$ref" in node:
            name = node["$ref"].rsplit("/", 1)[-1]
            return {**self.resolved(self.schema["components"]["schemas"][name]), **beside}
        for option in [*node.get("allOf", []), *node.get("oneOf", [])]:
            return {**self.resolved(option), **beside}
        return node

    def fields(self, node: Node, prefix: str = "") -> dict[str, Node]:
        node = self.resolved(node)
        found: dict[str, Node] = {}
        if node.get("type") == "array":
            found[f"{prefix}[]"] = self.resolved(node["items"])
            found |= self.fields(node["items"], f"{prefix}[]")
        for name, inner in node.get("properties", {}).items():
            path = f"{prefix}.{name}" if prefix else name
            found[path] = self.resolved(inner)
            found |= self.fields(inner, path)
        return found


@pytest.fixture(scope="module")
def reader(schema: Node) -> Reader:
    return Reader(schema)


def test_the_schema_is_valid_and_nothing_in_it_had_to_be_guessed() -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=io.StringIO())


@pytest.mark.parametrize("path", LISTS)
def test_rows_of_lists_have_the_promised_fields(reader: Reader, path: str) -> None:
    assert not LISTS[path] - set(reader.listed(path))


@pytest.mark.parametrize("path", ROWS)
def test_rows_have_the_promised_fields(reader: Reader, path: str) -> None:
    assert not ROWS[path] - set(reader.answered(path, "get", "200"))


@pytest.mark.parametrize(("path", "method"), WRITES)
def test_writes_take_and_answer_the_promised_fields(reader: Reader, path: str, method: str) -> None:
    takes, status, answers = WRITES[path, method]
    assert not takes - set(reader.sent(path, method))
    assert not answers - set(reader.answered(path, method, status))


@pytest.mark.parametrize("path", FILTERS)
def test_lists_have_the_promised_filters(reader: Reader, path: str) -> None:
    named = {p["name"] for p in reader.operation(path, "get")["parameters"] if p["in"] == "query"}
    assert FILTERS[path] | {"limit", "cursor", "ordering"} <= named


@pytest.mark.parametrize(("path", "field"), WORDS)
def test_fields_have_exactly_the_promised_words(reader: Reader, path: str, field: str) -> None:
    assert set(reader.listed(path)[field]["enum"]) - {"", None} == WORDS[path, field]


@pytest.mark.parametrize(("path", "field"), TYPES)
def test_fields_have_the_promised_types(reader: Reader, path: str, field: str) -> None:
    node = reader.listed(path)[field]
    assert TYPES[path, field] in (node["type"], node.get("format"))


def test_every_post_takes_an_idempotency_key_and_every_operation_shows_refusals(
    schema: Node, reader: Reader
) -> None:
    for path, item in schema["paths"].items():
        for method, operation in item.items():
            own = path.removeprefix("/api/v1")
            assert {"code", "message", "data"} <= set(reader.answered(own, method, "default"))
            headers = (
                {p["name"] for p in operation["parameters"] if p["in"] == "header"}
                if ("parameters" in operation)
                else set()
            )
            assert headers == ({"Idempotency-Key"} if method == "post" else set()), path
            assert operation["security"] == [{"ApiKey": []}]
