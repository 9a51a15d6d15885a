"""/tariffs/ and /tariff-assignments/ as other people's programs see them."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from accounts.choices import Role
from accounts.models import Operator
from cms.base.json import loads
from tests.api import Api, fields_of
from tests.factories import make_id_token_group, make_location, make_station

# As it goes over the wire: the digits matter.
TARIFF = (
    b'{"currency":"EUR","elements":[{"price_components":[{"type":"ENERGY","price":0.3900,"vat":19.0,'
    b'"step_size":1}],"restrictions":{"start_time":"08:00","day_of_week":["MONDAY"]}},'
    b'{"price_components":[{"type":"PARKING_TIME","price":6,"step_size":60}]}],'
    b'"min_price":{"excl_vat":0.50,"incl_vat":0.595},"max_price":{"incl_vat":100},'
    b'"start_date_time":"2026-01-01T00:00:00Z","tariff_alt_text":[{"language":"en","text":"Per kWh"}],'
    b'"x_magetsi":{"name":"Day","idle_grace_s":600,"idle_cap":12.5,"country":"DE"}}'
)


@pytest.fixture
def tariff_id(api: Api) -> str:
    """Of a published tariff."""
    answer = api.post("/tariffs/", TARIFF)
    assert answer.status_code == 201, answer.content
    return str(answer.json()["id"])


def body(answer: Any) -> dict[str, Any]:
    """With decimals as they were sent."""
    value: dict[str, Any] = loads(answer.content)
    return value


# --- tariffs ----------------------------------------------------------------------------------


def test_reads_and_writes_every_digit(api: Api) -> None:
    made = api.post("/tariffs/", TARIFF)
    assert made.status_code == 201
    sent, shown = loads(TARIFF), body(made)
    ours = {name: shown.pop(name) for name in ("id", "version", "status", "last_updated")}
    assert shown == sent
    assert b'"price":0.3900' in made.content
    assert (ours["version"], ours["status"]) == (1, "active")
    again = api.get(f"/tariffs/{ours['id']}/")
    assert again.status_code == 200
    assert b'"price":0.3900' in again.content
    assert {k: v for k, v in body(again).items() if k not in ours} == sent


def test_keeps_a_clients_id_if_it_is_free(api: Api, stranger_api: Api) -> None:
    named = TARIFF.replace(b"{", b'{"id":"summer 2026",', 1)
    assert api.post("/tariffs/", named).json()["id"] == "summer 2026"
    assert api.post("/tariffs/", named).json()["id"] != "summer 2026"
    assert stranger_api.post("/tariffs/", named).json()["id"] == "summer 2026"
    assert api.get("/tariffs/summer%202026/").status_code == 200


def test_a_change_makes_a_new_version(api: Api, tariff_id: str) -> None:
    changed = api.patch(f"/tariffs/{tariff_id}/", {"max_price": None, "type": "REGULAR"})
    assert changed.status_code == 200, changed.content
    assert changed.json()["version"] == 2
    assert "max_price" not in changed.json()
    assert changed.json()["elements"] == api.get(f"/tariffs/{tariff_id}/").json()["elements"]


def test_what_was_read_can_be_sent_back(api: Api, tariff_id: str) -> None:
    read = api.get(f"/tariffs/{tariff_id}/")
    answer = api.send("PATCH", f"/tariffs/{tariff_id}/", read.content)
    assert answer.status_code == 200, answer.content
    assert answer.json()["version"] == 1


def test_a_draft_waits_to_be_published(api: Api) -> None:
    draft = api.post("/tariffs/?draft=true", TARIFF).json()
    assert draft["status"] == "draft"
    refused = api.post("/tariff-assignments/", {"tariff": draft["id"], "operator": True})
    assert (refused.status_code, refused.json()["code"]) == (409, "tariff_not_active")
    assert api.patch(f"/tariffs/{draft['id']}/", {}).json()["status"] == "active"
    assert [t["id"] for t in api.results("/tariffs/", status="active")] == [draft["id"]]
    assert api.results("/tariffs/", status="draft") == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"currency": "XYZ"}, "currency"),
        ({"currency": None}, "currency"),
        ({"elements": []}, "elements"),
        ({"elements": "none"}, "elements"),
        ({"elements": [{"price_components": [{"type": "ENERGY", "price": -1, "step_size": 1}]}]},
         "elements.0.price_components.0.price"),
        ({"elements": [{"price_components": [{"type": "ENERGY", "price": "1", "step_size": 1}]}]},
         "elements.0.price_components.0.price"),
        ({"colour": "green"}, "colour"),
        ({"id": "a/b"}, "id"),
        ({"id": 7}, "id"),
        ({"start_date_time": "soon"}, "start_date_time"),
        ({"x_magetsi": {"idle_grace_s": -1}}, "x_magetsi.idle_grace_s"),
    ],
)  # fmt: skip
def test_what_is_no_tariff_is_refused_by_its_fields(
    api: Api, change: dict[str, Any], field: str
) -> None:
    assert field in fields_of(api.post("/tariffs/", {**json.loads(TARIFF), **change}))
    assert api.results("/tariffs/") == []


def test_an_empty_body_is_refused(api: Api) -> None:
    assert {"currency", "elements"} <= set(fields_of(api.post("/tariffs/")))


def test_an_unlawful_tariff_names_its_rule(api: Api, owner_api: Api) -> None:
    unlawful = {
        "currency": "EUR",
        "x_magetsi": {"country": "GB"},
        "elements": [{"price_components": [{"type": "TIME", "price": 3, "step_size": 60}]}],
    }
    refused = api.post("/tariffs/", unlawful)
    assert (refused.status_code, refused.json()["code"]) == (400, "unlawful_tariff")
    assert set(refused.json()["data"]["rules"]) == {"uk_price_per_kwh"}
    assert api.post("/tariffs/?force=true", unlawful).status_code == 403
    assert owner_api.post("/tariffs/?force=true", unlawful).status_code == 201


@pytest.mark.parametrize("query", ["draft=maybe", "draft=", "publish=true", "force=1"])
def test_flags_are_true_or_false(api: Api, query: str) -> None:
    assert query.partition("=")[0] in fields_of(api.post(f"/tariffs/?{query}", TARIFF))


def test_roles(api_as: Callable[[Role], Api], tariff_id: str) -> None:
    may = {Role.OWNER, Role.MANAGER, Role.FINANCE}
    for role in Role:
        api = api_as(role)
        assert api.get(f"/tariffs/{tariff_id}/").status_code == 200
        expected = 200 if role in may else 403
        assert api.patch(f"/tariffs/{tariff_id}/", {}).status_code == expected, role
        assert api.post("/tariffs/", TARIFF).status_code == (201 if role in may else 403)


def test_a_stranger_sees_nothing(stranger_api: Api, nobody_api: Api, tariff_id: str) -> None:
    assert stranger_api.get(f"/tariffs/{tariff_id}/").status_code == 404
    assert stranger_api.patch(f"/tariffs/{tariff_id}/", {}).status_code == 404
    assert stranger_api.results("/tariffs/") == []
    assert nobody_api.get("/tariffs/").status_code == 401
    assert stranger_api.get("/tariffs/a%00b/").status_code == 404


def test_the_same_key_makes_one_tariff(api: Api) -> None:
    first = api.post("/tariffs/", TARIFF, key="k-1")
    second = api.post("/tariffs/", TARIFF, key="k-1")
    assert first.content == second.content
    assert len(api.results("/tariffs/")) == 1


def test_a_list_costs_few_queries(api: Api, django_assert_max_num_queries: Any) -> None:
    for _ in range(4):
        api.post("/tariffs/", TARIFF)
    with django_assert_max_num_queries(3):  # the key, its last use, the page
        assert len(api.results("/tariffs/")) == 4


# --- assignments ------------------------------------------------------------------------------


def test_assigns_to_each_kind_of_target(api: Api, operator: Operator, tariff_id: str) -> None:
    station = make_station(operator)
    location = make_location(operator)
    group = make_id_token_group(operator)
    nothing = {"station": None, "evse_id": None, "location": None, "group": None, "operator": False}
    targets = [
        {"station": station.identity},
        {"station": station.identity, "evse_id": 2},
        {"location": str(location.pk)},
        {"group": group.name},
        {"operator": True},
    ]
    for target in targets:
        answer = api.post("/tariff-assignments/", {"tariff": tariff_id, **target})
        assert answer.status_code == 201, answer.content
        shown = answer.json()
        assert {k: shown[k] for k in nothing} == {**nothing, **target}
        assert shown["tariff"] == tariff_id
    assert len(api.results("/tariff-assignments/")) == len(targets)
    assert len(api.results("/tariff-assignments/", station=station.identity)) == 2


@pytest.mark.parametrize(
    ("target", "field"),
    [
        ({}, "body"),
        ({"operator": False}, "body"),
        ({"operator": True, "station": "CP"}, "body"),
        ({"operator": True, "evse_id": 1}, "evse_id"),
        ({"station": "nowhere"}, "station"),
        ({"station": 5}, "station"),
        ({"location": "999999999"}, "location"),
        ({"location": "x"}, "location"),
        ({"group": "nobody"}, "group"),
        ({"station": "CP", "evse_id": 0}, "evse_id"),
        ({"station": "CP", "evse_id": "1"}, "evse_id"),
        ({"operator": True, "tariff": "none"}, "tariff"),
        ({"operator": True, "colour": 1}, "colour"),
    ],
)
def test_refuses_targets_that_are_none(
    api: Api, tariff_id: str, target: dict[str, Any], field: str
) -> None:
    assert field in fields_of(api.post("/tariff-assignments/", {"tariff": tariff_id, **target}))
    assert api.results("/tariff-assignments/") == []


def test_another_operators_things_are_none(
    api: Api, stranger: Operator, stranger_api: Api, tariff_id: str
) -> None:
    foreign = make_station(stranger)
    answer = api.post("/tariff-assignments/", {"tariff": tariff_id, "station": foreign.identity})
    assert set(fields_of(answer)) == {"station"}
    answer = stranger_api.post("/tariff-assignments/", {"tariff": tariff_id, "operator": True})
    assert set(fields_of(answer)) == {"tariff"}
    made = api.post("/tariff-assignments/", {"tariff": tariff_id, "operator": True}).json()
    for method in ("GET", "DELETE"):
        assert stranger_api.send(method, f"/tariff-assignments/{made['id']}/").status_code == 404
    assert api.get(f"/tariff-assignments/{made['id']}/").status_code == 200


def test_removing_ends_it(api: Api, api_as: Callable[[Role], Api], tariff_id: str) -> None:
    made = api.post("/tariff-assignments/", {"tariff": tariff_id, "operator": True}).json()
    address = f"/tariff-assignments/{made['id']}/"
    assert api_as(Role.SUPPORT).send("DELETE", address).status_code == 403
    assert api.send("DELETE", address).status_code == 204
    assert api.send("DELETE", address).status_code == 404
    assert api.results("/tariff-assignments/") == []
