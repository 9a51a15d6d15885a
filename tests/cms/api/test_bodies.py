"""Bodies and query strings that no program should send: each gets a clear 400, never a 500."""

import json

import pytest

from tests.api import Api, fields_of

DEEP = b"[" * 100_000
WIDE_NUMBER = b"9" * 5000


@pytest.mark.parametrize(
    "body",
    [
        b"hello",
        b"{",
        b"[]",
        b"{}x",
        b"null",
        b"1",
        b'"text"',
        b"[{}]",
        b'{"uid": NaN}',
        b'{"uid": Infinity}',
        b'{"uid": "a", "uid": "b"}',
        b'{"uid": "\xff"}',
        b'{"uid": ' + WIDE_NUMBER + b"}",
        b'{"uid": ' + DEEP + b"}",
        b'{"uid": ' + b'{"a":' * 70 + b"1" + b"}" * 70 + b"}",
        "{}".encode("utf-16"),
    ],
    ids=lambda body: body[:24].decode("latin-1"),
)
def test_what_is_not_one_json_object_is_refused(api: Api, body: bytes) -> None:
    fields_of(api.send("POST", "/id-tokens/", body))


def test_an_empty_body_is_an_empty_object(api: Api) -> None:
    for body in (b"", b"  \n", b"{}"):
        assert fields_of(api.send("POST", "/id-tokens/", body)) == {
            "uid": ["This field is required."]
        }


def test_another_media_type_is_415(api: Api) -> None:
    response = api.client.post("/api/v1/id-tokens/", "uid=A", content_type="text/plain")
    assert (response.status_code, response.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize("size", [1024 * 1024 + 1, 3 * 1024 * 1024])
@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "big"}])
def test_a_body_over_one_mebibyte_is_413(api: Api, size: int, headers: dict[str, str]) -> None:
    body = json.dumps({"uid": "x" * size}).encode()
    response = api.send("POST", "/id-tokens/", body, headers)
    assert (response.status_code, response.json()["code"]) == (413, "too_large")


@pytest.mark.parametrize(
    "value",
    [
        "\0",
        "a\0b",
        "\ud800",
        "x" * 256,
        "ß" * 200,
        "",
        1,
        1.5,
        True,
        None,
        [],
        ["a"],
        {},
        {"a": 1},
    ],
    ids=repr,
)
def test_text_that_cannot_be_stored_names_its_field(api: Api, value: object) -> None:
    assert "uid" in fields_of(api.post("/id-tokens/", {"uid": value}))


@pytest.mark.parametrize(
    "value", [0, -1, 2**15, 2**31, 2**63, 2**64, 10**29, 10**400, 1.0, 1.5, True, "1", [], {}]
)
def test_a_number_out_of_range_or_of_another_type_names_its_field(api: Api, value: object) -> None:
    response = api.post("/id-tokens/", {"uid": "A", "max_concurrent": value})
    assert "max_concurrent" in fields_of(response)


def test_a_number_that_would_fill_the_memory_is_refused_by_its_exponent(api: Api) -> None:
    body = b'{"uid": "A", "max_concurrent": 1e999999999}'
    assert "max_concurrent" in fields_of(api.send("POST", "/id-tokens/", body))


@pytest.mark.parametrize(
    "value",
    [
        "yesterday",
        "2026-03-01",
        "2026-03-01T12:00:00",
        "2026-13-01T12:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "٢٠٢٦-03-01T12:00:00Z",
        1767225600,
        {},
    ],
)
def test_a_time_without_zone_or_sense_names_its_field(api: Api, value: object) -> None:
    response = api.post("/id-tokens/", {"uid": "A", "expires_at": value})
    assert "expires_at" in fields_of(response)


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z"),
        ("2026-03-01t12:00:00z", "2026-03-01T12:00:00Z"),
        ("2026-03-01T14:00:00.125+02:00", "2026-03-01T12:00:00.125Z"),
    ],
)
def test_a_time_comes_back_in_utc_with_z(api: Api, sent: str, shown: str) -> None:
    response = api.post("/id-tokens/", {"uid": "A", "expires_at": sent})
    assert response.json()["expires_at"] == shown


def test_every_fault_of_a_body_is_told_at_once(api: Api) -> None:
    body = {"uid": 7, "status": "expired", "type": "Card", "colour": "red", "max_concurrent": 0}
    assert set(fields_of(api.post("/id-tokens/", body))) == set(body)


def test_faults_of_nested_objects_carry_their_path(api: Api) -> None:
    evses = [
        {"evse_id": 1, "connectors": [{"connector_id": 1, "standard": "TYPE2"}]},
        {"evse_id": 0},
        {"evse_id": 3, "conectors": []},
        "EVSE",
    ]
    assert set(fields_of(api.post("/stations/", {"identity": "CP", "evses": evses}))) == {
        "evses.0.connectors.0.standard",
        "evses.1.evse_id",
        "evses.2.conectors",
        "evses.3",
    }


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("colour=red", "colour"),
        ("status=on", "status"),
        ("status=accepted&status=blocked", "status"),
        ("uid=%00", "uid"),
        ("uid=" + "x" * 256, "uid"),
        ("limit=0", "limit"),
        ("limit=-1", "limit"),
        ("limit=201", "limit"),
        ("limit=ten", "limit"),
        ("limit=" + "9" * 400, "limit"),
        ("limit=%D9%A1", "limit"),
        ("ordering=max_concurrent", "ordering"),
        ("ordering=operator__name", "ordering"),
        ("cursor=nonsense", "cursor"),
        ("cursor=", "cursor"),
        ("cursor=%00", "cursor"),
        ("cursor=W10", "cursor"),
        ("cursor=WyJhIiwieCIsIjEiXQ", "cursor"),
        ("cursor=WyJhIiwiMSIsIjk5OTk5OTk5OTk5OTk5OTk5OTkiXQ", "cursor"),
    ],
)
def test_a_bad_query_parameter_is_named(api: Api, query: str, parameter: str) -> None:
    assert set(fields_of(api.get(f"/id-tokens/?{query}"))) == {parameter}


@pytest.mark.parametrize(
    "path",
    [
        "/id-tokens/0/",
        "/id-tokens/-1/",
        "/id-tokens/01/",
        "/id-tokens/9223372036854775808/",
        "/id-tokens/" + "9" * 400 + "/",
        "/id-tokens/%00/",
        "/id-tokens/%D9%A1/",
        "/id-tokens/1.0/",
        "/stations/%00/",
        "/stations/%ED%A0%80/",
        "/stations/nobody/",
        "/commands/x/",
        "/transactions/x/",
        "/transactions/x/meter-values/",
        "/locations/x/",
    ],
)
def test_an_id_that_can_be_nobodys_is_404(api: Api, path: str) -> None:
    response = api.get(path)
    assert (response.status_code, response.json()["code"]) == (404, "not_found")
