"""Reservations and the list of cards in the portal: asked for, shown in words, given up."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.choices import Role
from accounts.models import Operator
from cms.portal.reservation_words import LocalListView, ReservationView
from stations.models import ChargingStation, Command, LocalList, Reservation
from tests.cms.portal.conftest import World
from tests.factories import (
    make_id_token,
    make_id_token_group,
    make_local_list,
    make_operator,
    make_reservation,
    make_state,
    make_station,
)


@pytest.fixture
def operator(db: None) -> Operator:
    return make_operator()


@pytest.fixture
def station(operator: Operator) -> ChargingStation:
    station = make_station(operator)
    make_state(station)
    return station


@pytest.fixture
def client(operator: Operator, client_as: Callable[..., Client]) -> Client:
    return client_as(operator, Role.MANAGER)


def address(station: ChargingStation, rest: str = "reservations/") -> str:
    return f"/operator/stations/{station.identity}/{rest}"


def ask(client: Client, station: ChargingStation, kind: str, **data: Any) -> Command:
    answer = client.post(address(station, f"ask/{kind}/"), data)
    assert answer.status_code == 302, answer.content.decode()
    assert answer.headers["Location"].startswith(address(station))
    return Command.objects.filter(station=station).latest("pk")


def text(client: Client, station: ChargingStation) -> str:
    return client.get(address(station)).content.decode()


def test_a_place_is_kept_free_and_given_up(
    client: Client, operator: Operator, station: ChargingStation
) -> None:
    token = make_id_token(operator)
    command = ask(client, station, "reserve", id_token=token.uid, evse_id="0", minutes="30")
    assert (command.action, command.payload["idTag"]) == ("ReserveNow", token.uid)
    shown = text(client, station)
    assert "The station has not answered yet." in shown
    assert "Anywhere at the station" in shown
    assert token.uid not in shown
    row = Reservation.objects.get(command=command)
    row.status = "reserved"
    row.save()
    Command.objects.filter(pk=command.pk).update(status="accepted", finished_at=row.created_at)
    command = ask(client, station, "cancel-reservation", reservation=row.pk)
    assert command.action == "CancelReservation"
    assert command.payload == {"reservationId": row.reservation_id}


def test_what_cannot_be_reserved_is_said_at_the_field(
    client: Client, station: ChargingStation
) -> None:
    foreign = make_id_token(make_operator())
    data = {"id_token": foreign.uid, "evse_id": "0", "minutes": "30"}
    answer = client.post(address(station, "ask/reserve/"), data)
    assert answer.status_code == 400
    assert "id_token" in answer.context["form"].errors
    theirs = make_reservation(make_station())
    answer = client.post(address(station, "ask/cancel-reservation/"), {"reservation": theirs.pk})
    assert "reservation" in answer.context["form"].errors
    assert not Command.objects.filter(station=station).exists()


def test_the_list_is_sent_and_asked_about(
    client: Client, operator: Operator, station: ChargingStation
) -> None:
    group = make_id_token_group(operator)
    token = make_id_token(operator, group=group)
    make_id_token(operator)
    refused = client.post(address(station, "ask/send-local-list/"), {"update": "differential"})
    assert refused.status_code == 400
    command = ask(client, station, "send-local-list", update="full", group=group.pk)
    assert [e["idTag"] for e in command.payload["localAuthorizationList"]] == [token.uid]
    assert "A list is on its way." in text(client, station)
    assert ask(client, station, "local-list-version").action == "GetLocalListVersion"


def test_reserving_is_for_those_who_start_and_lists_for_those_who_command(
    operator: Operator, station: ChargingStation, client_as: Callable[..., Client]
) -> None:
    for role, may_reserve, may_send in (
        (Role.SUPPORT, True, False),
        (Role.TECHNICIAN, True, True),
        (Role.VIEWER, False, False),
    ):
        client = client_as(operator, role)
        for kind, may in (("reserve", may_reserve), ("send-local-list", may_send)):
            answer = client.get(address(station, f"ask/{kind}/"))
            assert answer.status_code == (200 if may else 403), (role, kind)
            assert (f"ask/{kind}/" in text(client, station)) == may


def test_the_page_asks_the_database_as_often_for_many(
    owner: Client, world: World, django_assert_max_num_queries: Any
) -> None:
    for _ in range(20):
        make_reservation(world.station)
    with django_assert_max_num_queries(25):
        owner.get(address(world.station))


@pytest.mark.parametrize(
    ("status", "reason", "words"),
    [
        ("requested", "", "The station has not answered yet."),
        ("requested", "NoAnswer", "The station did not answer; it may keep it free all the same."),
        ("expired", "NoAnswer", "The station never said whether it kept it free."),
        ("reserved", "", ""),
        ("rejected", "Occupied", "The connector is in use."),
        ("rejected", "Strange", "Strange"),
        ("removed", "Rejected", "The station says that it has no such reservation."),
        ("cancelled", "NotSent", "It was never sent."),
    ],
)
def test_a_reservation_says_how_it_stands(status: str, reason: str, words: str) -> None:
    view = ReservationView(Reservation(status=status, reason=reason))
    assert view.words == words
    assert view.look.word


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "Nobody knows yet what this station keeps."),
        ({"version": -1, "entries": []}, "The station keeps no list of cards."),
        ({"version": 0, "entries": []}, "Its list is empty."),
        ({"version": 9}, "It has version 9, which did not come from here."),
        ({"version": 2, "entries": [{"idTag": "A"}]}, "1 card, version 2"),
    ],
)
def test_a_list_says_what_it_is(fields: dict[str, Any], words: str) -> None:
    assert LocalListView(LocalList(**fields), is_under_way=False).words == words


def test_a_refusal_and_a_long_list_are_shown(client: Client, station: ChargingStation) -> None:
    cards = [f"CARD-{number:04}" for number in range(60)]
    make_local_list(station, *cards, refusal="VersionMismatch")
    shown = text(client, station)
    assert "The station has another version than we thought." in shown
    assert "and 10 more" in shown
    assert cards[0] not in shown
