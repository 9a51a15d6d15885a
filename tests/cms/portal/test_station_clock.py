"""A clock that is off, in words on the station's page."""

import json
from datetime import UTC, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from cms.portal.clock_words import clock_words
from stations.selectors.clock import ClockFault, ClockFaultKind
from tests.cms.portal.conftest import World
from tests.cms.portal.test_pages import text
from tests.factories import make_message, make_state, make_station


def test_the_page_says_how_far_the_clock_is_off_and_what_to_do(world: World, owner: Client) -> None:
    station = make_station(world.operator)
    make_state(station)
    path = f"/operator/stations/{station.identity}/"
    assert "Its clock is" not in text(owner, path)
    now = timezone.now()
    sent = (now + timedelta(hours=3)).astimezone(UTC).isoformat()
    make_message(
        station, at=now, action="StatusNotification", payload=json.dumps({"timestamp": sent})
    )
    told = text(owner, path)
    assert "Its clock is 3 hours ahead. Our times count in place of its own." in told
    assert "Restart the station: it sets its clock by our answers" in told


@pytest.mark.parametrize("kind", ClockFaultKind)
@pytest.mark.parametrize("hours", [-49, -1, 1, 49])
def test_every_fault_says_what_is_wrong_and_what_to_do(kind: ClockFaultKind, hours: int) -> None:
    words = clock_words(ClockFault(kind, timedelta(hours=hours), timezone.now()))
    assert words.what
    assert words.do
    assert "%" not in words.what + words.do


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (timedelta(minutes=6), "6 minutes ahead"),
        (timedelta(seconds=3599), "60 minutes ahead"),
        (timedelta(hours=-3), "3 hours slow"),
        (timedelta(days=2), "2 days ahead"),
    ],
)
def test_how_far_is_told_in_its_greatest_unit(span: timedelta, words: str) -> None:
    assert words in clock_words(ClockFault(ClockFaultKind.OFF, span, timezone.now())).what
