"""Transactions and readings over REST."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone

from accounts.models import Operator
from billing.models import ChargingSession
from cms.base.time import rfc3339
from tests.api import Api, fields_of
from tests.factories import (
    make_id_token,
    make_meter_value,
    make_station,
    make_transaction,
)


def open_session(tx: Any) -> ChargingSession:
    return ChargingSession.objects.create(
        operator=tx.operator, station=tx.station, transaction=tx, status="active"
    )


def test_a_transaction_shows_three_clocks_and_its_session(api: Api, operator: Operator) -> None:
    token = make_id_token(operator, uid="Card")
    start = timezone.now() - timedelta(hours=2)
    end = start + timedelta(hours=1)
    tx = make_transaction(
        make_station(operator),
        id_token=token,
        id_token_uid="CARD",
        ocpp_transaction_id="17",
        started_at=start,
        device_started_at=None,
        ended_at=end,
        device_ended_at=end - timedelta(seconds=5),
        received_ended_at=end,
        meter_start_wh=100,
        meter_stop_wh=2600,
        stop_reason="EVDisconnected",
        remote_start_id=3,
        review_reasons=["clock_implausible"],
    )
    session = open_session(tx)
    shown = api.get(f"/transactions/{tx.pk}/").json()
    assert shown == {
        "id": str(tx.pk),
        "station": tx.station.identity,
        "evse_id": 1,
        "connector_id": 1,
        "ocpp_transaction_id": "17",
        "id_token": "CARD",
        "id_token_id": str(token.pk),
        "status": "ended",
        "started_at": rfc3339(start),
        "ended_at": rfc3339(end),
        "device_started_at": None,
        "device_ended_at": rfc3339(end - timedelta(seconds=5)),
        "received_started_at": rfc3339(start),
        "received_ended_at": rfc3339(end),
        "meter_start_wh": 100,
        "meter_stop_wh": 2600,
        "energy_wh": 2500,
        "stop_reason": "EVDisconnected",
        "remote_start_id": 3,
        "needs_review": True,
        "review_reasons": ["clock_implausible"],
        "session": str(session.pk),
    }
    assert api.results("/transactions/") == [shown]


def test_what_a_running_transaction_lacks_is_null(api: Api, operator: Operator) -> None:
    tx = make_transaction(make_station(operator))
    shown = api.get(f"/transactions/{tx.pk}/").json()
    for name in ("ended_at", "meter_stop_wh", "energy_wh", "stop_reason", "id_token", "session"):
        assert shown[name] is None
    assert (shown["status"], shown["needs_review"]) == ("active", False)


def test_transactions_come_by_effective_start_and_are_filtered(
    api: Api, operator: Operator
) -> None:
    now = timezone.now()
    here, there = make_station(operator), make_station(operator)
    token = make_id_token(operator, uid="Card")
    late_upload = make_transaction(
        here, started_at=now - timedelta(hours=1), ended_at=now, id_token_uid="Ghost"
    )
    first = make_transaction(
        here, started_at=now - timedelta(hours=3), ended_at=now, id_token=token
    )
    newest = make_transaction(there, started_at=now, id_token=token)

    def found(**filters: str) -> list[str]:
        return [row["id"] for row in api.results("/transactions/", **filters)]

    ids = [str(tx.pk) for tx in (newest, late_upload, first)]
    assert found() == ids
    assert found(station=here.identity) == ids[1:]
    assert found(status="active") == ids[:1]
    assert found(id_token="CARD") == found(id_token=str(token.pk)) == [ids[0], ids[2]]
    assert found(id_token="Ghost") == ids[1:2]
    assert found(id_token="nobody") == found(station="nowhere") == []
    assert found(started_after=rfc3339(now - timedelta(hours=2))) == ids[:2]
    assert "started_after" in fields_of(api.get("/transactions/?started_after=today"))
    assert "status" in fields_of(api.get("/transactions/?status=Active"))


def test_a_list_costs_the_same_for_many_transactions(
    api: Api, operator: Operator, django_assert_num_queries: Callable[..., Any]
) -> None:
    for _ in range(5):
        open_session(make_transaction(make_station(operator), id_token=make_id_token(operator)))
    api.get("/operators/me/")
    with django_assert_num_queries(2):  # the key, the page
        assert len(api.results("/transactions/")) == 5


def test_readings_are_shown_in_our_unit_and_as_sent(api: Api, operator: Operator) -> None:
    tx = make_transaction(make_station(operator))
    at = datetime.now(UTC).replace(microsecond=0)
    make_meter_value(
        tx, at=at, value=Decimal("1234.5"), raw_value="1.2345", phase="L1-N",
        signed={"format": "OCMF", "data": "x"},
    )  # fmt: skip
    make_meter_value(tx, at=at + timedelta(minutes=1), has_device_time=False, value=Decimal(230))
    first, second = api.results(f"/transactions/{tx.pk}/meter-values/")
    assert first == {
        "at": rfc3339(at),
        "device_at": rfc3339(at),
        "received_at": rfc3339(at),
        "measurand": "Energy.Active.Import.Register",
        "phase": "L1-N",
        "location": "Outlet",
        "context": "Sample.Periodic",
        "unit": "Wh",
        "value": 1234.5,
        "raw_value": "1.2345",
        "raw_unit": "kWh",
        "signed": {"format": "OCMF", "data": "x"},
    }
    assert (second["device_at"], second["phase"], second["signed"]) == (None, None, None)
    assert b'"value":230,' in api.get(f"/transactions/{tx.pk}/meter-values/").content
