"""Reservations over REST: asked for, held, refused, used, given up, over."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import IdToken, Operator
from cms.base.time import rfc3339
from stations.commands.following import follow_ended
from stations.models import ChargingStation, Command, Reservation
from stations.services.reservations import expire_reservations, on_transaction_started
from tests.api import Api, fields_of
from tests.factories import (
    make_id_token,
    make_operator,
    make_reservation,
    make_state,
    make_station,
    make_transaction,
)

Row = dict[str, Any]


@pytest.fixture
def station(operator: Operator) -> ChargingStation:
    station = make_station(operator)
    make_state(station)
    return station


@pytest.fixture
def token(operator: Operator) -> IdToken:
    return make_id_token(operator)


def soon(minutes: float = 60) -> str:
    return rfc3339(timezone.now() + timedelta(minutes=minutes))


def body(station: ChargingStation, token: IdToken, **fields: Any) -> Row:
    return {
        "station": station.identity,
        "evse_id": 1,
        "id_token": token.uid,
        "expires_at": soon(),
        **fields,
    }


def reserve(api: Api, station: ChargingStation, token: IdToken, **fields: Any) -> Row:
    made = api.post("/reservations/", body(station, token, **fields))
    assert made.status_code == 201, made.content
    row: Row = made.json()
    assert row["status"] == "requested"
    return row


def end(
    command_id: object, status: str = "accepted", said: str | None = "Accepted", **fields: Any
) -> None:
    """The command's outcome, worked off as the outbox does, twice."""
    response = None if said is None else {"status": said}
    Command.objects.filter(pk=command_id).update(  # type: ignore[misc]
        status=status, response=response, finished_at=timezone.now(), **fields
    )
    for _ in range(2):
        follow_ended(str(command_id), {})


def lost(command_id: object) -> None:
    end(command_id, "timed_out", None, sent_at=timezone.now(), error={"code": "no_answer"})


def held(api: Api, station: ChargingStation, token: IdToken, **fields: Any) -> Row:
    row = reserve(api, station, token, **fields)
    end(row["command"])
    return row


def shown(api: Api, row: Row) -> tuple[str, str | None]:
    now = api.get(f"/reservations/{row['id']}/").json()
    assert (now["ended_at"] is None) == (now["status"] in ("requested", "reserved"))
    return now["status"], now["reason"]


def give_up(api: Api, row: Row, status: int = 202) -> Row:
    answer = api.send("DELETE", f"/reservations/{row['id']}/")
    assert answer.status_code == status, answer.content
    result: Row = answer.json()
    return result


def past_its_time(row: Row) -> None:
    Reservation.objects.filter(pk=row["id"]).update(
        expires_at=timezone.now() - timedelta(seconds=1)
    )
    expire_reservations()


def started(station: ChargingStation, token: IdToken, **fields: Any) -> str:
    """The public id of a transaction that the outbox tells of, twice."""
    tx = make_transaction(station, id_token=token, **fields)
    for _ in range(2):
        on_transaction_started(str(tx.pk), {"transaction_id": tx.pk})
    return str(tx.pk)


# --- asking --------------------------------------------------------------------------------------


def test_a_reservation_is_sent_in_the_words_of_1_6(
    api: Api, station: ChargingStation, token: IdToken
) -> None:
    expires_at = soon()
    row = reserve(api, station, token, id_token=token.uid.lower(), expires_at=expires_at)
    assert (row["station"], row["evse_id"], row["id_token"]) == (station.identity, 1, token.uid)
    assert row["id_token_id"] == str(token.pk)
    command = Command.objects.get(pk=row["command"])
    assert command.action == "ReserveNow"
    assert command.payload == {
        "connectorId": 1,
        "expiryDate": expires_at,
        "idTag": token.uid,
        "reservationId": row["reservation_id"],
    }
    assert rfc3339(command.expires_at) == row["expires_at"]
    end(command.pk)
    assert shown(api, row) == ("reserved", None)
    assert api.results("/reservations/", station=station.identity, status="reserved") == [
        api.get(f"/reservations/{row['id']}/").json()
    ]
    assert api.results("/reservations/", station="nobody's") == []


@pytest.mark.parametrize(
    ("place", "evse_id"),
    [
        ({"connector_id": 2}, 2),
        ({"evse_id": 2, "connector_id": 1}, 2),
        ({"connector_id": 0}, 0),
        ({}, 0),
    ],
)
def test_a_connector_of_1_6_is_an_evse_and_0_the_station(
    api: Api, station: ChargingStation, token: IdToken, place: Row, evse_id: int
) -> None:
    asked = body(station, token)
    del asked["evse_id"]
    row = api.post("/reservations/", asked | place).json()
    assert row["evse_id"] == evse_id
    assert Command.objects.get(pk=row["command"]).payload["connectorId"] == evse_id


def test_only_a_token_of_this_operator_that_may_charge_is_reserved_for(
    api: Api, operator: Operator, station: ChargingStation
) -> None:
    tokens = [
        make_id_token(make_operator()),
        make_id_token(operator, status="blocked"),
        make_id_token(operator, expires_at=timezone.now() - timedelta(minutes=1)),
        make_id_token(operator, uid="X" * 21),
    ]
    for token in tokens:
        assert list(fields_of(api.post("/reservations/", body(station, token)))) == ["id_token"]
    assert not Command.objects.filter(station=station).exists()


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"expires_at": "tomorrow"}, "expires_at"),
        ({"expires_at": None}, "expires_at"),
        ({"evse_id": -1}, "evse_id"),
        ({"evse_id": 1, "connector_id": 3}, "connector_id"),
        ({"station": "nobody's"}, "station"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_what_cannot_be_reserved_names_its_field(
    api: Api, station: ChargingStation, token: IdToken, wrong: Row, field: str
) -> None:
    assert list(fields_of(api.post("/reservations/", body(station, token) | wrong))) == [field]


def test_another_operators_station_and_reservation_are_not_there(
    api: Api, operator: Operator, token: IdToken
) -> None:
    foreign = make_station(make_operator())
    make_state(foreign)
    assert list(fields_of(api.post("/reservations/", body(foreign, token)))) == ["station"]
    give_up(api, {"id": make_reservation(foreign).pk}, status=404)
    assert api.results("/reservations/") == []


def test_a_raw_reserve_now_makes_the_row_too(api: Api, station: ChargingStation) -> None:
    asked = {"connectorId": 2, "expiryDate": soon(), "idTag": "ANYBODY", "reservationId": 77}
    path = f"/stations/{station.identity}/commands/"
    command = api.post(path, {"action": "ReserveNow", "payload": asked}).json()
    [row] = api.results("/reservations/")
    assert (row["reservation_id"], row["evse_id"], row["command"]) == (77, 2, command["id"])
    assert (row["id_token"], row["id_token_id"]) == ("ANYBODY", None)
    huge = asked | {"reservationId": 2**31}
    refused = api.post(path, {"action": "ReserveNow", "payload": huge})
    assert list(fields_of(refused)) == ["payload.reservationId"]


# --- what becomes of it --------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["Faulted", "Occupied", "Unavailable", "Rejected"])
def test_a_refusal_keeps_the_stations_word(
    api: Api, station: ChargingStation, token: IdToken, word: str
) -> None:
    row = reserve(api, station, token)
    end(row["command"], "rejected", word)
    assert shown(api, row) == ("rejected", word)


def test_a_callerror_is_a_refusal(api: Api, station: ChargingStation, token: IdToken) -> None:
    row = reserve(api, station, token)
    end(row["command"], "error", None, error={"code": "NotSupported"})
    assert shown(api, row) == ("rejected", "NotSupported")


def test_what_got_no_answer_may_be_held_until_its_time(
    api: Api, station: ChargingStation, token: IdToken
) -> None:
    row = reserve(api, station, token)
    lost(row["command"])
    assert shown(api, row) == ("requested", "NoAnswer")
    past_its_time(row)
    assert shown(api, row) == ("expired", "NoAnswer")


def test_an_answer_that_cannot_be_read_proves_nothing(
    api: Api, station: ChargingStation, token: IdToken
) -> None:
    row = reserve(api, station, token)
    end(row["command"], "error", "Perhaps", error={"code": "invalid_response"})
    assert shown(api, row) == ("requested", "NoAnswer")


@pytest.mark.parametrize(
    ("late", "outcome"), [("Accepted", ("reserved", None)), ("Occupied", ("rejected", "Occupied"))]
)
def test_a_late_answer_counts(
    api: Api, station: ChargingStation, token: IdToken, late: str, outcome: tuple[str, str | None]
) -> None:
    row = reserve(api, station, token)
    lost(row["command"])
    end(row["command"], "timed_out", late)
    assert shown(api, row) == outcome


def test_a_late_yes_after_its_time_brings_nothing_back(
    api: Api, station: ChargingStation, token: IdToken
) -> None:
    row = reserve(api, station, token)
    lost(row["command"])
    past_its_time(row)
    end(row["command"], "timed_out", "Accepted")
    assert shown(api, row) == ("expired", "NoAnswer")


def test_what_was_never_sent_was_never_held(
    api: Api, station: ChargingStation, token: IdToken
) -> None:
    row = reserve(api, station, token)
    assert api.post(f"/commands/{row['command']}/cancel/").status_code == 200
    follow_ended(row["command"], {})
    assert shown(api, row) == ("cancelled", "NotSent")
    row = reserve(api, station, token)
    end(row["command"], "cancelled", None, error={"code": "expired"})
    assert shown(api, row) == ("expired", "NotSent")


def test_the_sweep_ends_what_is_past_its_time_and_nothing_else(
    api: Api, station: ChargingStation, token: IdToken
) -> None:
    over, stays = held(api, station, token), held(api, station, token)
    past_its_time(over)
    assert shown(api, over) == ("expired", None)
    assert shown(api, stays) == ("reserved", None)
    assert expire_reservations() == 0


def test_the_same_number_replaces_what_the_station_held_once_it_agrees(
    api: Api, station: ChargingStation, token: IdToken
) -> None:
    old = held(api, station, token)
    number = old["reservation_id"]
    asked = {"connectorId": 1, "expiryDate": soon(), "idTag": "B", "reservationId": number}
    path = f"/stations/{station.identity}/commands/"
    for said, outcome in (("Occupied", "reserved"), ("Accepted", "cancelled")):
        command = api.post(path, {"action": "ReserveNow", "payload": asked}).json()
        end(command["id"], "accepted" if said == "Accepted" else "rejected", said)
        assert shown(api, old)[0] == outcome
    assert shown(api, old) == ("cancelled", "Replaced")
    [now] = api.results("/reservations/", status="reserved")
    assert now["command"] == command["id"]


# --- giving it up --------------------------------------------------------------------------------


def test_delete_asks_the_station_and_believes_it(
    api: Api, station: ChargingStation, token: IdToken
) -> None:
    row = held(api, station, token)
    command = give_up(api, row)
    assert command["action"] == "CancelReservation"
    assert command["payload"] == {"reservationId": row["reservation_id"]}
    assert shown(api, row) == ("reserved", None)
    end(command["id"])
    assert shown(api, row) == ("cancelled", None)
    assert give_up(api, row, status=409)["code"] == "reservation_ended"


def test_a_station_that_knows_of_no_such_reservation_has_removed_it(
    api: Api, station: ChargingStation, token: IdToken
) -> None:
    row = held(api, station, token)
    end(give_up(api, row)["id"], "rejected", "Rejected")
    assert shown(api, row) == ("removed", "Rejected")


def test_without_an_answer_to_the_cancelling_it_stands(
    api: Api, station: ChargingStation, token: IdToken
) -> None:
    row = held(api, station, token)
    command = give_up(api, row)
    lost(command["id"])
    assert shown(api, row) == ("reserved", None)
    end(command["id"], "timed_out", "Accepted")
    assert shown(api, row) == ("cancelled", None)


def test_what_waits_for_the_station_is_taken_back_unsent(
    api: Api, station: ChargingStation, token: IdToken
) -> None:
    row = reserve(api, station, token)
    command = give_up(api, row)
    assert (command["id"], command["status"]) == (row["command"], "cancelled")
    follow_ended(command["id"], {})
    assert shown(api, row) == ("cancelled", "NotSent")
    assert not Command.objects.filter(action="CancelReservation", station=station).exists()


def test_cancelling_that_is_worked_off_first_still_wins(
    api: Api, station: ChargingStation, token: IdToken
) -> None:
    row = reserve(api, station, token)
    Command.objects.filter(pk=row["command"]).update(status="sent", sent_at=timezone.now())
    command = give_up(api, row)
    Command.objects.filter(pk=row["command"]).update(
        status="accepted", response={"status": "Accepted"}, finished_at=timezone.now()
    )
    end(command["id"])
    follow_ended(row["command"], {})
    assert shown(api, row) == ("cancelled", None)


def test_a_raw_cancelling_ends_only_what_was_asked_before_it(
    api: Api, station: ChargingStation, token: IdToken
) -> None:
    row = held(api, station, token)
    path = f"/stations/{station.identity}/commands/"
    asked = {"reservationId": row["reservation_id"]}
    cancelling = api.post(path, {"action": "CancelReservation", "payload": asked}).json()
    again = body(station, token) | {}
    payload = {"connectorId": 1, "expiryDate": soon(), "idTag": again["id_token"], **asked}
    later = api.post(path, {"action": "ReserveNow", "payload": payload}).json()
    end(cancelling["id"])
    end(later["id"])
    assert shown(api, row) == ("cancelled", None)
    [now] = api.results("/reservations/", status="reserved")
    assert now["command"] == later["id"]


# --- using it ------------------------------------------------------------------------------------


def test_a_start_that_names_it_uses_it(api: Api, station: ChargingStation, token: IdToken) -> None:
    other, row = held(api, station, token), held(api, station, token, evse_id=0)
    tx = started(station, token, reservation_id=row["reservation_id"])
    assert shown(api, row) == ("used", None)
    assert api.get(f"/reservations/{row['id']}/").json()["transaction"] == tx
    assert shown(api, other) == ("reserved", None)


@pytest.mark.parametrize("senseless", [None, 0])
def test_a_start_by_its_token_at_its_evse_uses_it_without_the_number(
    api: Api, operator: Operator, station: ChargingStation, token: IdToken, senseless: int | None
) -> None:
    row = held(api, station, token)
    started(station, make_id_token(operator), evse_id=3, reservation_id=senseless)
    started(station, make_id_token(operator), is_current=False, reservation_id=senseless)
    started(station, token, evse_id=2, reservation_id=senseless)
    assert shown(api, row) == ("reserved", None)
    started(station, token, reservation_id=senseless)
    assert shown(api, row) == ("used", None)


def test_a_start_of_before_the_reservation_does_not_use_it(
    api: Api, station: ChargingStation, token: IdToken
) -> None:
    row = held(api, station, token)
    started(station, token, started_at=timezone.now() - timedelta(hours=1))
    assert shown(api, row) == ("reserved", None)


def test_one_start_uses_one_reservation(api: Api, station: ChargingStation, token: IdToken) -> None:
    anywhere, here = held(api, station, token, evse_id=0), held(api, station, token)
    started(station, token)
    assert [shown(api, row)[0] for row in (anywhere, here)] == ["reserved", "used"]


@pytest.mark.parametrize("before", ["expired", "no answer", "removed"])
def test_a_start_that_names_it_proves_that_it_was_there(
    api: Api, station: ChargingStation, token: IdToken, before: str
) -> None:
    row = reserve(api, station, token)
    if before == "no answer":
        lost(row["command"])
    else:
        end(row["command"])
    if before == "expired":
        past_its_time(row)
    if before == "removed":
        end(give_up(api, row)["id"], "rejected", "Rejected")
    started(station, token, reservation_id=row["reservation_id"])
    assert shown(api, row) == ("used", None)


def test_another_stations_number_is_not_ours(
    api: Api, operator: Operator, station: ChargingStation, token: IdToken
) -> None:
    row = held(api, station, token)
    elsewhere = make_station(operator)
    started(elsewhere, token, reservation_id=row["reservation_id"])
    assert shown(api, row) == ("reserved", None)
