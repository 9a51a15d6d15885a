"""Whether a station's clock is off, judged by what it sends."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from stations.models import ChargingStation
from stations.selectors.clock import ClockFaultKind, clock_fault_of
from tests.factories import make_message, make_state, make_station

pytestmark = pytest.mark.django_db

KOLKATA = "Asia/Kolkata"  # five hours and a half ahead of UTC, all year


@pytest.fixture
def station(operator: Any) -> ChargingStation:
    return make_station(operator)


def say(
    station: ChargingStation,
    minutes_ago: float,
    *,
    off_by: timedelta | None = timedelta(0),
    text: str = "",
    action: str = "StatusNotification",
) -> None:
    """A message that came so long ago; its time is `off_by` from then, or `text`, or absent."""
    at = timezone.now() - timedelta(minutes=minutes_ago)
    sent = text or ((at + off_by).astimezone(UTC).isoformat() if off_by is not None else "")
    payload: dict[str, Any] = {"timestamp": sent} if sent else {}
    if action == "MeterValues":
        payload = {"connectorId": 1, "meterValue": [{**payload, "sampledValue": []}]}
    make_message(station, at=at, action=action, payload=json.dumps(payload))


def fault(
    station: ChargingStation, zone: str = KOLKATA
) -> tuple[ClockFaultKind, int | None] | None:
    """The kind, and the whole minutes."""
    state = getattr(station, "state", None)
    found = clock_fault_of(station, state, zone=zone, now=timezone.now())
    if found is None:
        return None
    return found.kind, None if found.off_by is None else round(found.off_by.total_seconds() / 60)


def test_nothing_is_said_of_a_station_that_says_no_times(station: ChargingStation) -> None:
    assert fault(station) is None
    say(station, 5, off_by=None)
    assert fault(station) is None


@pytest.mark.parametrize("off_by_minutes", [-4, 0, 4])
def test_a_few_minutes_are_no_fault(station: ChargingStation, off_by_minutes: int) -> None:
    for minutes in (1, 30, 60):
        say(station, minutes, off_by=timedelta(minutes=off_by_minutes))
    assert fault(station) is None


@pytest.mark.parametrize("action", ["StatusNotification", "StartTransaction", "MeterValues"])
def test_a_clock_that_is_ahead_shows_at_once(station: ChargingStation, action: str) -> None:
    say(station, 1, off_by=timedelta(hours=3), action=action)
    assert fault(station) == (ClockFaultKind.OFF, 180)


def test_a_clock_that_was_set_since_is_well(station: ChargingStation) -> None:
    say(station, 30, off_by=timedelta(hours=3))
    say(station, 29, text="1970-01-01T00:00:10Z")
    say(station, 1)
    assert fault(station) is None


def test_a_slow_clock_is_late_by_the_same_again_and_again(station: ChargingStation) -> None:
    for minutes in (1, 6, 13):
        say(station, minutes, off_by=timedelta(days=-1))
    assert fault(station) == (ClockFaultKind.OFF, -24 * 60)


def test_a_queue_is_no_slow_clock(station: ChargingStation) -> None:
    """A day's readings, told within minutes of coming back; and before, what was told in time."""
    for number in range(8):
        late = timedelta(hours=-20 + 2 * number)
        say(station, 8 - number, off_by=late, action="MeterValues")
    assert fault(station) is None
    say(station, 60)
    assert fault(station) is None


def test_a_long_queue_that_is_told_slowly_is_no_slow_clock(station: ChargingStation) -> None:
    for number in range(12):
        say(station, 60 - 5 * number, off_by=timedelta(minutes=-600 + 10 * number))
    assert fault(station) is None


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("1970-01-01T00:03:12Z", ClockFaultKind.UNSET),
        ("2019-12-31T23:59:59Z", ClockFaultKind.UNSET),
        ("2026-01-15T10:00:00", ClockFaultKind.UNREADABLE),
        ("yesterday", ClockFaultKind.UNREADABLE),
    ],
)
def test_what_is_no_time_of_ours(station: ChargingStation, text: str, kind: ClockFaultKind) -> None:
    say(station, 30)
    say(station, 1, text=text)
    assert fault(station) == (kind, None)


def test_mistakes_of_zone_are_told_from_others(station: ChargingStation) -> None:
    say(station, 3, off_by=timedelta(hours=5, minutes=30))
    assert fault(station) == (ClockFaultKind.SITE_TIME, 330)
    assert fault(station, "UTC") == (ClockFaultKind.OFF, 330)
    say(station, 2, off_by=timedelta(hours=1))
    assert fault(station) == (ClockFaultKind.SUMMER_TIME, 60)


def test_known_habits_are_no_faults(station: ChargingStation) -> None:
    """A Growatt tells the time of its site and names no zone."""
    make_state(station, vendor="Growatt New Energy")
    here = timezone.now() + timedelta(hours=5, minutes=30)
    say(station, 0, text=f"{here:%Y-%m-%dT%H:%M:%S}")
    assert fault(station) is None
    assert fault(station, "UTC") == (ClockFaultKind.OFF, 330)


def test_old_messages_and_other_stations_say_nothing(station: ChargingStation) -> None:
    say(make_station(station.operator), 1, off_by=timedelta(hours=3))
    say(station, 3 * 24 * 60, off_by=timedelta(hours=3))
    with CaptureQueriesContext(connection) as captured:
        assert fault(station) is None
    assert len([q for q in captured if "ocppmessage" in q["sql"]]) == 1


def test_broken_payloads_are_passed_over(station: ChargingStation) -> None:
    at = datetime.now(UTC)
    for payload in ("[]", "{", '{"meterValue":[1,{"timestamp":5}],"timestamp":null}'):
        make_message(station, at=at, action="MeterValues", payload=payload)
    assert fault(station) is None
