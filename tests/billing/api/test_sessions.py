"""/sessions/, /cdrs/ and /quotes/ as other people's programs see them."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts.choices import Role
from accounts.models import Operator
from cms.base.json import loads
from cms.base.time import rfc3339
from stations.models import ChargingStation, Transaction, TransactionProgress
from tests.api import Api, fields_of
from tests.billing.factories import (
    assign,
    component,
    hours_ago,
    make_ended,
    make_reading,
    make_tariff,
    tell,
)
from tests.factories import make_id_token, make_id_token_group, make_station, make_transaction

PRICE = {"currency", "final", "net_minor", "tax_minor", "gross_minor", "lines"}
LINE = {
    "dimension",
    "quantity",
    "unit",
    "unit_price",
    "vat_percent",
    "net_minor",
    "tax_minor",
    "gross_minor",
    "from",
    "to",
}


def shown(api: Api, path: str) -> dict[str, Any]:
    """One row, decimals as they came."""
    answer = api.get(path)
    assert answer.status_code == 200, answer.content
    value: dict[str, Any] = loads(answer.content)
    return value


def session_id(api: Api, tx: Transaction) -> str:
    (row,) = api.results("/sessions/", transaction=str(tx.pk))
    return str(row["id"])


def completed(station: ChargingStation, **fields: Any) -> Transaction:
    tx = make_ended(station, **fields)
    tell("transaction.ended", tx)
    return tx


# --- sessions ---------------------------------------------------------------------------------


def test_a_running_session_has_a_price_so_far(api: Api, station: ChargingStation) -> None:
    token = make_id_token(station.operator)
    tx = make_transaction(station, started_at=hours_ago(1), meter_start_wh=500, id_token=token)
    TransactionProgress.objects.create(transaction=tx, at=hours_ago(0.5), register_wh=3_000)
    tell("transaction.started", tx)
    session = shown(api, f"/sessions/{session_id(api, tx)}/")
    assert session["status"] == "active"
    assert session["transaction"] == str(tx.pk)
    assert session["station"] == station.identity
    assert session["id_token"] == token.uid
    assert session["driver"] is session["payment"] is session["cdr"] is None
    assert set(session["tariff"]) == {"id", "version"}
    assert set(session["price"]) == PRICE
    assert session["energy_wh"] == 2_500
    assert (session["price"]["final"], session["price"]["gross_minor"]) == (False, 120)


def test_a_finished_session_shows_its_bill(api: Api, station: ChargingStation) -> None:
    tx = completed(station)
    session = shown(api, f"/sessions/{session_id(api, tx)}/")
    cdr = shown(api, f"/cdrs/{session['cdr']}/")
    assert session["status"] == "completed"
    assert session["price"] == cdr["price"]
    assert session["price"]["final"] is True
    (line,) = session["price"]["lines"]
    assert set(line) == LINE
    assert (line["dimension"], line["unit"]) == ("ENERGY", "kWh")
    assert (line["quantity"], line["unit_price"], line["vat_percent"]) == (10, Decimal("0.4"), 20)
    assert (line["net_minor"], line["tax_minor"], line["gross_minor"]) == (400, 80, 480)
    assert (line["from"], line["to"]) == (rfc3339(tx.started_at), rfc3339(tx.ended_at))


def test_a_session_without_a_tariff_has_no_price(api: Api, operator: Operator) -> None:
    tx = completed(make_station(operator))
    session = shown(api, f"/sessions/{session_id(api, tx)}/")
    assert session["status"] == "in_review"
    assert session["tariff"] is session["price"] is session["cdr"] is None
    assert session["review_reasons"] == ["no_tariff"]
    assert api.results("/cdrs/") == []
    transaction = shown(api, f"/transactions/{tx.pk}/")
    assert transaction["needs_review"] is True
    assert transaction["review_reasons"] == ["no_tariff"]
    assert transaction["session"] == session["id"]


def test_filters(api: Api, station: ChargingStation, operator: Operator) -> None:
    other = make_station(operator)
    token = make_id_token(operator, uid="Card-7")
    old = completed(station, ended_at=hours_ago(50), id_token=token)
    new = completed(other)
    waiting = completed(other, review_reasons=["estimated"])

    def found(**filters: str) -> set[str]:
        return {row["transaction"] for row in api.results("/sessions/", **filters)}

    everything = {str(tx.pk) for tx in (old, new, waiting)}
    assert found() == everything
    assert found(station=station.identity) == {str(old.pk)}
    assert found(id_token="CARD-7") == {str(old.pk)}
    assert found(id_token="unknown") == set()
    assert found(status="in_review") == {str(waiting.pk)}
    assert found(started_after=rfc3339(hours_ago(10))) == everything - {str(old.pk)}
    assert found(started_after=rfc3339(old.started_at)) == everything - {str(old.pk)}
    assert found(transaction=str(new.pk)) == {str(new.pk)}
    assert found(transaction="none") == set()
    assert "status" in fields_of(api.get("/sessions/", status="lost"))
    assert "colour" in fields_of(api.get("/sessions/", colour="green"))


def test_lists_are_newest_first_and_page(api: Api, station: ChargingStation) -> None:
    transactions = [completed(station) for _ in range(3)]
    page = api.get("/sessions/", limit=2).json()
    assert [row["transaction"] for row in page["results"]] == [
        str(tx.pk) for tx in reversed(transactions[1:])
    ]
    rest = api.get(page["next"]).json()
    assert [row["transaction"] for row in rest["results"]] == [str(transactions[0].pk)]
    assert rest["next"] is None


@pytest.mark.parametrize("path", ["/sessions/", "/cdrs/"])
def test_lists_cost_the_same_however_long(
    api: Api, station: ChargingStation, django_assert_max_num_queries: Any, path: str
) -> None:
    for _ in range(4):
        completed(station)
        make_reading(make_transaction(make_station(station.operator)), hours_ago(1), 1)
    for tx in Transaction.objects.filter(operator=station.operator, is_current=True):
        tell("transaction.started", tx)
    with django_assert_max_num_queries(6):
        assert len(api.results(path)) >= 4


def test_a_stranger_sees_nothing(
    api: Api, stranger_api: Api, nobody_api: Api, station: ChargingStation
) -> None:
    tx = completed(station)
    waiting = completed(station, review_reasons=["estimated"])
    session = session_id(api, tx)
    cdr = shown(api, f"/sessions/{session}/")["cdr"]
    for path in (f"/sessions/{session}/", f"/cdrs/{cdr}/", "/sessions/x/", "/cdrs/0/"):
        assert stranger_api.get(path).status_code == 404
        assert nobody_api.get(path).status_code == 401
    for path in ("/sessions/", "/cdrs/"):
        assert stranger_api.results(path) == []
    release = f"/sessions/{session_id(api, waiting)}/release/"
    assert stranger_api.post(release, {"reason": "Mine."}).status_code == 404


# --- release ----------------------------------------------------------------------------------


def test_release_goes_on_to_the_price(api: Api, station: ChargingStation) -> None:
    tx = completed(station, energy_wh=939_000)
    address = f"/sessions/{session_id(api, tx)}/release/"
    answer = api.post(address, {"energy_wh": 9_390, "reason": "Read from the display."})
    assert answer.status_code == 200, answer.content
    session = answer.json()
    assert (session["status"], session["review_reasons"]) == ("completed", [])
    assert session["price"]["net_minor"] == 376
    assert shown(api, f"/cdrs/{session['cdr']}/")["energy_wh"] == 9_390
    again = api.post(address, {"reason": "Once more."})
    assert (again.status_code, again.json()["code"]) == (409, "not_in_review")


def test_release_without_a_tariff_is_a_conflict(api: Api, operator: Operator) -> None:
    tx = completed(make_station(operator))
    answer = api.post(f"/sessions/{session_id(api, tx)}/release/", {"reason": "Go on."})
    assert (answer.status_code, answer.json()["code"]) == (409, "no_tariff")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "reason"),
        ({"reason": ""}, "reason"),
        ({"reason": "a\0b"}, "reason"),
        ({"reason": "x", "energy_wh": -1}, "energy_wh"),
        ({"reason": "x", "energy_wh": 1.5}, "energy_wh"),
        ({"reason": "x", "energy_wh": "10"}, "energy_wh"),
        ({"reason": "x", "energy_wh": 10**12}, "energy_wh"),
        ({"reason": "x", "price": 1}, "price"),
    ],
)
def test_release_checks_its_body(
    api: Api, station: ChargingStation, body: dict[str, Any], field: str
) -> None:
    tx = completed(station, review_reasons=["estimated"])
    session = session_id(api, tx)
    assert field in fields_of(api.post(f"/sessions/{session}/release/", body))
    assert shown(api, f"/sessions/{session}/")["status"] == "in_review"


def test_release_needs_a_role_that_may(
    api: Api, api_as: Callable[[Role], Api], station: ChargingStation
) -> None:
    for role in Role:
        tx = completed(station, review_reasons=["estimated"])
        address = f"/sessions/{session_id(api, tx)}/release/"
        may = role in {Role.OWNER, Role.MANAGER, Role.FINANCE}
        answer = api_as(role).post(address, {"reason": "Looked at it."})
        assert answer.status_code == (200 if may else 403), role


def test_the_same_key_releases_once(api: Api, station: ChargingStation) -> None:
    tx = completed(station, review_reasons=["estimated"])
    address = f"/sessions/{session_id(api, tx)}/release/"
    first = api.post(address, {"reason": "Looked at it."}, key="release-1")
    second = api.post(address, {"reason": "Looked at it."}, key="release-1")
    assert first.status_code == second.status_code == 200
    assert first.content == second.content
    assert len(api.results("/cdrs/")) == 1


# --- CDRs -------------------------------------------------------------------------------------


def test_a_cdr_in_full(api: Api, station: ChargingStation) -> None:
    tx = completed(station)
    (row,) = api.results("/cdrs/", transaction=str(tx.pk))
    cdr = shown(api, f"/cdrs/{row['id']}/")
    assert set(cdr) == {
        "id", "number", "session", "transaction", "station", "evse_id", "connector_id", "id_token",
        "started_at", "ended_at", "energy_wh", "duration_s", "idle_s", "tariff", "price", "credit_of",
        "created_at",
    }  # fmt: skip
    assert cdr["session"] == session_id(api, tx)
    assert cdr["station"] == station.identity
    assert (cdr["evse_id"], cdr["connector_id"]) == (1, 1)
    assert cdr["id_token"] == tx.id_token_uid
    assert (cdr["started_at"], cdr["ended_at"]) == (rfc3339(tx.started_at), rfc3339(tx.ended_at))
    assert (cdr["energy_wh"], cdr["duration_s"], cdr["idle_s"]) == (10_000, 3_600, 0)
    assert cdr["number"].startswith("CDR-")
    assert cdr["tariff"]["version"] == 1
    assert cdr["credit_of"] is None


def test_cdr_filters(api: Api, station: ChargingStation, operator: Operator) -> None:
    other = make_station(operator)
    assign(make_tariff(operator), station=other)
    token = make_id_token(operator, uid="Card-7")
    one = completed(station, id_token=token, ended_at=hours_ago(50))
    two = completed(other)

    def found(**filters: str) -> set[str]:
        return {row["transaction"] for row in api.results("/cdrs/", **filters)}

    assert found() == {str(one.pk), str(two.pk)}
    assert found(station=station.identity) == {str(one.pk)}
    assert found(id_token="card-7") == {str(one.pk)}
    assert found(session=session_id(api, two)) == {str(two.pk)}
    assert found(started_after=rfc3339(hours_ago(10))) == {str(two.pk)}
    assert "started_after" in fields_of(api.get("/cdrs/", started_after="today"))


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
def test_a_cdr_cannot_be_changed(owner_api: Api, station: ChargingStation, method: str) -> None:
    completed(station)
    (row,) = owner_api.results("/cdrs/")
    assert owner_api.send(method, f"/cdrs/{row['id']}/", {}).status_code == 405


# --- quotes -----------------------------------------------------------------------------------


def quote(api: Api, station: ChargingStation, **fields: Any) -> dict[str, Any]:
    body = {
        "station": station.identity,
        "starts_at": rfc3339(hours_ago(0)),
        "energy_wh": 10_000,
        "charging_s": 3_600,
        "idle_s": 0,
        **fields,
    }
    answer = api.post("/quotes/", body)
    assert answer.status_code == 200, answer.content
    value: dict[str, Any] = loads(answer.content)
    return value


@pytest.mark.parametrize("currency", ["EUR", "JPY", "KWD"])
def test_a_quote_is_what_the_same_session_then_costs(
    api: Api, operator: Operator, currency: str
) -> None:
    station = make_station(operator)
    assign(
        make_tariff(
            operator,
            component("ENERGY", "0.3333", vat="19"),
            component("TIME", "1.7", vat="7"),
            component("PARKING_TIME", "5.55", vat="19", step=300),
            component("FLAT", "0.35", vat=None),
            currency=currency,
            min_price={"excl_vat": Decimal("0.5")},
            x_magetsi={"idle_grace_s": 120},
        )
    )
    tx = make_ended(station, hours=2, energy_wh=23_456)
    full_at = tx.started_at + timedelta(minutes=80)
    make_reading(tx, full_at, tx.meter_stop_wh)
    tell("transaction.ended", tx)
    (cdr,) = api.results("/cdrs/", transaction=str(tx.pk))
    bill = shown(api, f"/cdrs/{cdr['id']}/")["price"]
    asked = quote(
        api,
        station,
        starts_at=rfc3339(tx.started_at),
        energy_wh=23_456,
        charging_s=80 * 60,
        idle_s=40 * 60,
    )
    assert len(bill["lines"]) == 4
    assert bill["gross_minor"] > 0
    assert asked["price"] == {**bill, "final": False}
    assert asked["tariff"]["version"] == 1


def test_a_quote_knows_the_evse_and_the_group(
    api: Api, operator: Operator, station: ChargingStation
) -> None:
    group = make_id_token_group(operator)
    make_id_token(operator, uid="Member", group=group)
    assign(make_tariff(operator, component("ENERGY", "0.30", vat=None)), station=station, evse_id=2)
    assign(make_tariff(operator, component("ENERGY", "0.10", vat=None)), group=group)
    assert quote(api, station)["price"]["net_minor"] == 400
    assert quote(api, station, evse_id=2)["price"]["net_minor"] == 300
    assert quote(api, station, evse_id=2, id_token="MEMBER")["price"]["net_minor"] == 100


def test_a_quote_without_a_tariff_is_refused(api: Api, operator: Operator) -> None:
    body = {
        "station": make_station(operator).identity,
        "starts_at": rfc3339(hours_ago(0)),
        "energy_wh": 1,
        "charging_s": 1,
        "idle_s": 0,
    }
    answer = api.post("/quotes/", body)
    assert (answer.status_code, answer.json()["code"]) == (409, "no_tariff")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"station": "nowhere"}, "station"),
        ({"id_token": "nobody"}, "id_token"),
        ({"evse_id": 0}, "evse_id"),
        ({"starts_at": "now"}, "starts_at"),
        ({"starts_at": "2026-03-01T12:00:00"}, "starts_at"),
        ({"starts_at": "9999-12-31T23:59:59Z"}, "starts_at"),
        ({"energy_wh": -1}, "energy_wh"),
        ({"energy_wh": 1.5}, "energy_wh"),
        ({"energy_wh": None}, "energy_wh"),
        ({"charging_s": 10**15}, "charging_s"),
        ({"idle_s": True}, "idle_s"),
    ],
)
def test_a_quote_checks_its_body(
    api: Api, station: ChargingStation, change: dict[str, Any], field: str
) -> None:
    body = {
        "station": station.identity,
        "starts_at": "2026-03-01T12:00:00Z",
        "energy_wh": 1,
        "charging_s": 1,
        "idle_s": 0,
    }
    assert field in fields_of(api.post("/quotes/", {**body, **change}))


def test_a_strangers_station_has_no_quote(stranger_api: Api, station: ChargingStation) -> None:
    body = {
        "station": station.identity,
        "starts_at": "2026-03-01T12:00:00Z",
        "energy_wh": 1,
        "charging_s": 1,
        "idle_s": 0,
    }
    assert set(fields_of(stranger_api.post("/quotes/", body))) == {"station"}
