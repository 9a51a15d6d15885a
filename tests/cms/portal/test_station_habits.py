"""The habits of a station on its page: the profile that governs it, and what was repaired."""

from datetime import timedelta

import pytest
from django.test import Client

from cms.base.time import utc_now
from cms.portal.quirk_words import changes_of, repaired
from stations.choices import RepairKind
from stations.models import ChargingStation
from stations.models.repairs import StationRepair
from stations.quirks import NO_QUIRKS, QuirkProfile, all_profiles
from stations.selectors.repairs import Repairs
from tests.cms.portal.conftest import World
from tests.cms.portal.test_pages import text
from tests.factories import make_state, make_station


def repair(station: ChargingStation, kind: RepairKind, times: int, *, days_ago: int = 0) -> None:
    day = utc_now().date() - timedelta(days=days_ago)
    StationRepair.objects.create(station=station, day=day, kind=kind, times=times)


def page_of(client: Client, station: ChargingStation) -> str:
    return text(client, f"/operator/stations/{station.identity}/")


def test_the_profile_and_what_it_changes_stand_on_the_page(world: World, owner: Client) -> None:
    station = make_station(world.operator)
    make_state(station, vendor="Growatt New Energy")

    told = page_of(owner, station)

    assert "Growatt: site time without a zone" in told
    assert "Times without a zone are taken for the site&#x27;s own time." in told
    assert "Nothing had to be repaired in its messages this week." in told


def test_repairs_are_summed_over_seven_days(world: World, owner: Client) -> None:
    station, other = make_station(world.operator), make_station(world.operator)
    make_state(station)
    repair(station, RepairKind.TIMESTAMPS, 300)
    repair(station, RepairKind.TIMESTAMPS, 12, days_ago=6)
    repair(station, RepairKind.TIMESTAMPS, 1000, days_ago=7)
    repair(station, RepairKind.UNITS, 1)
    repair(other, RepairKind.SAMPLES, 5)

    told = page_of(owner, station)

    assert "Repaired 312 timestamps this week" in told
    assert "Repaired 1 unit this week" in told
    assert "unreadable" not in told
    assert "No profile is known for this model" in told


def test_a_station_that_never_called_has_no_habits_yet(world: World, owner: Client) -> None:
    assert "Known habits" not in page_of(owner, make_station(world.operator))


@pytest.mark.parametrize("profile", all_profiles(), ids=lambda profile: profile.key)
def test_every_shipped_profile_says_what_it_changes(profile: QuirkProfile) -> None:
    assert changes_of(profile)


def test_no_profile_changes_nothing() -> None:
    assert changes_of(NO_QUIRKS) == []


@pytest.mark.parametrize("kind", RepairKind)
def test_every_kind_of_repair_has_its_words(kind: RepairKind) -> None:
    assert "312" in repaired(Repairs(kind, 312))
