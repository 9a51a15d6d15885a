"""Commands over REST; what becomes of them on the wire is tested with the gateway."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.choices import Role
from accounts.models import Operator
from cms.base.time import rfc3339
from stations.models import ChargingStation, Command
from tests.api import Api, fields_of
from tests.factories import (
    make_command,
    make_id_token,
    make_state,
    make_station,
    make_transaction,
)


@pytest.fixture
def station(operator: Operator) -> ChargingStation:
    """One that has spoken 1.6 and is not connected now."""
    station = make_station(operator)
    make_state(station)
    return station


def below(station: ChargingStation, path: str) -> str:
    return f"/stations/{station.identity}/{path}/"


def test_a_command_is_taken_with_202_and_shown_as_it_will_be_sent(
    api: Api, station: ChargingStation
) -> None:
    response = api.post(
        below(station, "commands"), {"action": "Reset", "payload": {"type": "Hard"}}
    )
    assert response.status_code == 202
    command = Command.objects.get(station=station)
    assert response.json() == {
        "id": str(command.pk),
        "station": station.identity,
        "action": "Reset",
        "payload": {"type": "Hard"},
        "status": "queued",
        "response": None,
        "error": None,
        "created_at": rfc3339(command.created_at),
        "sent_at": None,
        "finished_at": None,
        "expires_at": rfc3339(command.expires_at),
    }
    assert api.get(f"/commands/{command.pk}/").json() == response.json()


def test_expiry_is_kept_when_given(api: Api, station: ChargingStation) -> None:
    at = rfc3339(timezone.now() + timedelta(minutes=7))
    body = {"action": "ClearCache", "expires_at": at}
    assert api.post(below(station, "commands"), body).json()["expires_at"] == at
    assert api.post(below(station, "commands"), body | {"expires_at": None}).status_code == 202
    past = rfc3339(timezone.now() - timedelta(minutes=7))
    refused = api.post(below(station, "commands"), body | {"expires_at": past})
    assert "expires_at" in fields_of(refused)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "action"),
        ({"action": "Reset", "payload": {"type": "Lukewarm"}}, "payload.type"),
        ({"action": "Reset", "payload": {}}, "payload"),
        ({"action": "Reset", "payload": "Hard"}, "payload"),
        ({"action": "Reset", "payload": None}, "payload"),
        ({"action": "SetVariables", "payload": {}}, "action"),
        ({"action": "BootNotification", "payload": {}}, "action"),
        ({"action": "Levitate", "payload": {}}, "action"),
        ({"action": ["Reset"]}, "action"),
        ({"action": "x" * 65}, "action"),
        ({"action": "DataTransfer", "payload": {"vendorId": "a\0"}}, "payload.vendorId"),
        ({"action": "DataTransfer", "payload": {"vendorId": "\ud800"}}, "payload.vendorId"),
        ({"action": "UnlockConnector", "payload": {"connectorId": 10**40}}, "payload.connectorId"),
        ({"action": "Reset", "payload": {"type": "Hard"}, "priority": 1}, "priority"),
    ],
)
def test_a_command_that_no_station_would_understand_names_the_fault(
    api: Api, station: ChargingStation, body: dict[str, Any], field: str
) -> None:
    fields = fields_of(api.post(below(station, "commands"), body))
    assert any(name == field or name.startswith(f"{field}.") for name in fields), fields
    assert not Command.objects.filter(station=station).exists()


def test_decimals_of_a_payload_are_kept(api: Api, station: ChargingStation) -> None:
    profile = {
        "chargingProfileId": 1,
        "stackLevel": 0,
        "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Recurring",
        "recurrencyKind": "Daily",
        "chargingSchedule": {
            "chargingRateUnit": "A",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.1}],
        },
    }
    payload = {"connectorId": 1, "csChargingProfiles": profile}
    response = api.post(
        below(station, "commands"), {"action": "SetChargingProfile", "payload": payload}
    )
    assert response.status_code == 202
    assert b'"limit":16.1}' in response.content
    assert response.json()["payload"] == payload


def test_a_station_that_never_connected_cannot_be_asked(api: Api, operator: Operator) -> None:
    response = api.post(below(make_station(operator), "commands"), {"action": "ClearCache"})
    assert (response.status_code, response.json()["code"]) == (409, "never_connected")


def test_credentials_in_payloads_are_masked(api: Api, station: ChargingStation) -> None:
    payload = {"key": "AuthorizationKey", "value": "0123456789abcdef"}
    response = api.post(
        below(station, "commands"), {"action": "ChangeConfiguration", "payload": payload}
    )
    assert response.status_code == 202
    assert b"0123456789abcdef" not in response.content
    assert b"0123456789abcdef" not in api.get("/commands/").content
    assert Command.objects.get(station=station).payload == payload
    read = make_command(
        station,
        action="GetConfiguration",
        response={
            "configurationKey": [{"key": "AuthorizationKey", "readonly": False, "value": "s3cr3t"}]
        },
    )
    assert b"s3cr3t" not in api.get(f"/commands/{read.pk}/").content


def test_commands_are_listed_and_filtered(api: Api, operator: Operator) -> None:
    station, other = make_station(operator), make_station(operator)
    reset = make_command(station)
    clear = make_command(
        station, action="ClearCache", status="accepted", finished_at=timezone.now()
    )
    elsewhere = make_command(other)

    def ids(path: str, **filters: str) -> list[str]:
        return [row["id"] for row in api.results(path, **filters)]

    reset_id, clear_id, elsewhere_id = (str(c.pk) for c in (reset, clear, elsewhere))
    assert ids("/commands/") == [elsewhere_id, clear_id, reset_id]
    assert ids(below(station, "commands")) == [clear_id, reset_id]
    assert ids("/commands/", station=other.identity) == [elsewhere_id]
    assert ids("/commands/", status="accepted") == [clear_id]
    assert ids("/commands/", action="Reset") == [elsewhere_id, reset_id]
    assert "status" in fields_of(api.get("/commands/", status="done"))
    assert "station" in fields_of(api.get(below(station, "commands"), station=other.identity))


def test_a_list_costs_the_same_for_many_commands(
    api: Api, operator: Operator, django_assert_num_queries: Callable[..., Any]
) -> None:
    for _ in range(5):
        make_command(make_station(operator))
    api.get("/operators/me/")
    with django_assert_num_queries(2):  # the key, the page
        assert len(api.results("/commands/")) == 5


def test_a_command_is_taken_back_while_it_waits(api: Api, station: ChargingStation) -> None:
    command = make_command(station)
    address = f"/commands/{command.pk}/cancel/"
    response = api.post(address)
    assert (response.status_code, response.json()["status"]) == (200, "cancelled")
    assert response.json()["finished_at"] is not None
    assert api.post(address).status_code == 409
    assert fields_of(api.post(address, {"why": "x"})) == {"why": ["There is no such field."]}


# --- version-free ------------------------------------------------------------------------------


def test_start_sends_the_tokens_own_spelling(
    api: Api, operator: Operator, station: ChargingStation
) -> None:
    token = make_id_token(operator, uid="Card-1")
    for reference in ("Card-1", "CARD-1", str(token.pk)):
        response = api.post(below(station, "start"), {"id_token": reference, "evse_id": 2})
        assert response.status_code == 202
        assert response.json()["action"] == "RemoteStartTransaction"
        assert response.json()["payload"] == {"connectorId": 2, "idTag": "Card-1"}
    assert api.post(below(station, "start"), {"id_token": "Card-1"}).json()["payload"] == {
        "idTag": "Card-1"
    }


def test_start_for_nobodys_token_is_refused(
    api: Api, stranger: Operator, station: ChargingStation
) -> None:
    foreign = make_id_token(stranger)
    for reference in (foreign.uid, str(foreign.pk), "nobody"):
        response = api.post(below(station, "start"), {"id_token": reference})
        assert fields_of(response) == {"id_token": ["There is no such id token."]}


def test_stop_names_a_transaction_of_this_station(
    api: Api, operator: Operator, station: ChargingStation
) -> None:
    tx = make_transaction(station, ocpp_transaction_id="4711")
    response = api.post(below(station, "stop"), {"transaction": str(tx.pk)})
    assert response.status_code == 202
    assert response.json()["payload"] == {"transactionId": 4711}
    elsewhere = make_transaction(make_station(operator))
    over = make_transaction(station, evse_id=2, ended_at=timezone.now())
    for reference in (str(elsewhere.pk), "x", "0"):
        refused = api.post(below(station, "stop"), {"transaction": reference})
        assert "transaction" in fields_of(refused)
    assert api.post(below(station, "stop"), {"transaction": str(over.pk)}).status_code == 409


@pytest.mark.parametrize(
    ("path", "body", "action", "payload"),
    [
        ("unlock", {"evse_id": 2, "connector_id": 1}, "UnlockConnector", {"connectorId": 2}),
        ("reset", {"type": "soft"}, "Reset", {"type": "Soft"}),
        ("reset", {"type": "hard"}, "Reset", {"type": "Hard"}),
        (
            "availability",
            {"operative": False},
            "ChangeAvailability",
            {"connectorId": 0, "type": "Inoperative"},
        ),
        (
            "availability",
            {"operative": True, "evse_id": 1},
            "ChangeAvailability",
            {"connectorId": 1, "type": "Operative"},
        ),
    ],
)
def test_requests_without_a_version_become_commands(
    api: Api, station: ChargingStation, path: str, body: Any, action: str, payload: Any
) -> None:
    response = api.post(below(station, path), body)
    assert response.status_code == 202
    assert (response.json()["action"], response.json()["payload"]) == (action, payload)


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("start", {}, "id_token"),
        ("start", {"id_token": 7}, "id_token"),
        ("start", {"id_token": "x", "evse_id": 0}, "evse_id"),
        ("start", {"id_token": "x", "evse_id": 2**40}, "evse_id"),
        ("stop", {}, "transaction"),
        ("stop", {"transaction": 1}, "transaction"),
        ("unlock", {}, "evse_id"),
        ("unlock", {"evse_id": 1, "connector_id": 2}, "connector_id"),
        ("reset", {"type": "Soft"}, "type"),
        ("reset", {}, "type"),
        ("availability", {}, "operative"),
        ("availability", {"operative": "no"}, "operative"),
        ("availability", {"operative": True, "connector_id": 1}, "evse_id"),
    ],
)
def test_requests_that_say_too_little_are_refused_by_name(
    api: Api, station: ChargingStation, path: str, body: Any, field: str
) -> None:
    assert field in fields_of(api.post(below(station, path), body))


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        (Role.VIEWER, set()),
        (Role.FINANCE, set()),
        (Role.SUPPORT, {"start", "stop"}),
        (Role.TECHNICIAN, {"start", "stop", "unlock", "reset", "availability", "commands"}),
    ],
)
def test_each_role_asks_for_what_is_its_work(
    api_as: Callable[[Role], Api],
    operator: Operator,
    station: ChargingStation,
    role: Role,
    allowed: set[str],
) -> None:
    token, tx = make_id_token(operator), make_transaction(station)
    api = api_as(role)
    asked = {
        "start": {"id_token": token.uid},
        "stop": {"transaction": str(tx.pk)},
        "unlock": {"evse_id": 1},
        "reset": {"type": "soft"},
        "availability": {"operative": True},
        "commands": {"action": "ClearCache"},
    }
    statuses = {
        path: api.post(below(station, path), body).status_code for path, body in asked.items()
    }
    assert statuses == {path: 202 if path in allowed else 403 for path in asked}
