"""Settings as stations told and took them."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Operator
from cms.base.time import rfc3339
from stations.commands.following import follow_ended
from stations.models import ChargingStation, Command, StationState, StationVariable
from tests.api import Api
from tests.factories import make_command, make_state, make_station

START = timezone.now() - timedelta(hours=1)


@pytest.fixture
def station(operator: Operator) -> ChargingStation:
    station = make_station(operator)
    make_state(station)
    return station


def ended(station: ChargingStation, action: str, payload: Any, response: Any, at: int) -> Command:
    """A command that ended `at` seconds after START; not worked off yet."""
    return make_command(
        station,
        action=action,
        payload=payload,
        response=response,
        status="accepted",
        finished_at=START + timedelta(seconds=at),
    )


def work_off(*commands: Command) -> None:
    for command in commands:
        for _ in range(2):
            follow_ended(str(command.pk), {})


def told(
    station: ChargingStation,
    at: int,
    *,
    keys: tuple[str, ...] = (),
    unknown: tuple[str, ...] = (),
    **values: Any,
) -> Command:
    items = [
        {"key": key, "readonly": key.isupper()} | ({} if value is None else {"value": value})
        for key, value in values.items()
    ]
    response: dict[str, Any] = {"configurationKey": items, "unknownKey": list(unknown)}
    payload = {"key": list(keys)} if keys else {}
    return ended(station, "GetConfiguration", payload, response, at)


def changed(
    station: ChargingStation, at: int, key: str, value: str, said: str = "Accepted"
) -> Command:
    payload = {"key": key, "value": value}
    return ended(station, "ChangeConfiguration", payload, {"status": said}, at)


def shown(api: Api, station: ChargingStation) -> dict[str, str | None]:
    rows = api.results(f"/stations/{station.identity}/variables/")
    assert all(row["component"] is None for row in rows)
    return {row["variable"]: row["value"] for row in rows}


def row(api: Api, station: ChargingStation, variable: str) -> dict[str, Any]:
    [found] = api.results(f"/stations/{station.identity}/variables/", variable=variable)
    return found


def test_what_is_told_is_kept_with_its_time(api: Api, station: ChargingStation) -> None:
    work_off(told(station, 1, Interval="300", COUNT="2", Odd=None))
    assert shown(api, station) == {"Interval": "300", "COUNT": "2", "Odd": None}
    assert row(api, station, "count") == {
        "component": None,
        "variable": "COUNT",
        "value": "2",
        "readonly": True,
        "pending_reboot": False,
        "at": rfc3339(START + timedelta(seconds=1)),
    }


def test_a_whole_reading_leaves_nothing_else_and_a_partial_one_does(
    api: Api, station: ChargingStation
) -> None:
    work_off(told(station, 1, A="1", B="1", C="1"))
    work_off(told(station, 2, keys=("B", "c", "D"), unknown=("c", "D"), B="2"))
    assert shown(api, station) == {"A": "1", "B": "2"}
    work_off(told(station, 3, A="3"))
    assert shown(api, station) == {"A": "3"}


def test_later_knowledge_stays_whatever_is_worked_off_last(
    api: Api, station: ChargingStation
) -> None:
    early = told(station, 1, Interval="300", Gone="1")
    late = changed(station, 2, "INTERVAL", "60")
    latest = told(station, 3, keys=("Gone", "Other"), unknown=("Gone",), Other="x")
    work_off(late, latest, early)
    work_off(told(station, 0, keys=("Interval",), unknown=("Interval",)))
    values = {name.casefold(): value for name, value in shown(api, station).items()}
    assert (values["interval"], values["other"]) == ("60", "x")


def test_a_change_is_set_only_where_the_station_took_it(api: Api, station: ChargingStation) -> None:
    work_off(told(station, 1, Interval="300"))
    for second, said in enumerate(("Rejected", "NotSupported"), start=2):
        command = changed(station, second, "Interval", "-1", said)
        Command.objects.filter(pk=command.pk).update(status="rejected")
        work_off(command)
    silent = changed(station, 5, "Interval", "-1")
    Command.objects.filter(pk=silent.pk).update(status="timed_out", response=None)
    work_off(silent)
    assert shown(api, station) == {"Interval": "300"}
    work_off(changed(station, 6, "interval", "60"))
    assert shown(api, station) == {"Interval": "60"}
    assert row(api, station, "Interval")["readonly"] is False


def test_a_value_that_needs_a_restart_is_pending_until_one(
    api: Api, station: ChargingStation
) -> None:
    work_off(changed(station, 1, "Ping", "30", "RebootRequired"))
    assert row(api, station, "Ping")["pending_reboot"] is True
    StationState.objects.filter(station=station).update(booted_at=START + timedelta(seconds=2))
    assert row(api, station, "Ping")["pending_reboot"] is False
    work_off(told(station, 3, Ping="30"))
    assert row(api, station, "Ping")["pending_reboot"] is False
    assert not StationVariable.objects.get(station=station).pending_reboot


def test_passwords_are_never_kept(api: Api, station: ChargingStation) -> None:
    work_off(told(station, 1, AuthorizationKey="a-secret", Plain="1"))
    work_off(changed(station, 2, "authorizationkey", "another-secret"))
    assert shown(api, station) == {"AuthorizationKey": None, "Plain": "1"}
    values = StationVariable.objects.filter(station=station).values_list("value", flat=True)
    assert "secret" not in str(list(values))


def test_an_endless_value_is_cut(api: Api, station: ChargingStation) -> None:
    work_off(told(station, 1, Long="v" * 900))
    assert shown(api, station) == {"Long": "v" * 500}


def test_another_operators_station_tells_nothing(api: Api) -> None:
    foreign = make_station()
    work_off(told(foreign, 1, A="1"))
    assert api.get(f"/stations/{foreign.identity}/variables/").status_code == 404
    assert api.get(f"/stations/{foreign.identity}/local-list/").status_code == 404
