"""/stations/{identity}/repairs/: the known habits of a station, and what was repaired."""

from datetime import timedelta

from django.utils import timezone

from accounts.models import Operator
from stations.choices import RepairKind
from stations.models.repairs import StationRepair
from tests.api import Api
from tests.factories import make_state, make_station


def test_tells_the_profile_and_the_repairs_of_seven_days(api: Api, operator: Operator) -> None:
    station, other = make_station(operator), make_station(operator)
    make_state(station, vendor="Growatt New Energy")
    today = timezone.now().date()
    for place, kind, times, days in (
        (station, RepairKind.UNITS, 2, 0),
        (station, RepairKind.TIMESTAMPS, 300, 0),
        (station, RepairKind.TIMESTAMPS, 12, 6),
        (station, RepairKind.TIMESTAMPS, 1000, 7),
        (other, RepairKind.FIELDS, 5, 0),
    ):
        day = today - timedelta(days=days)
        StationRepair.objects.create(station=place, day=day, kind=kind, times=times)
    told = api.get(f"/stations/{station.identity}/repairs/").json()
    assert told["repairs"] == [
        {"kind": "timestamps", "times": 312},
        {"kind": "units", "times": 2},
    ]
    profile = told["quirk_profile"]
    assert profile["title"] == "Growatt: site time without a zone"
    assert profile["key"]
    assert all(source.startswith("https://") for source in profile["sources"])


def test_a_station_that_never_called_has_neither(api: Api, operator: Operator) -> None:
    station = make_station(operator)
    told = api.get(f"/stations/{station.identity}/repairs/").json()
    assert told == {"quirk_profile": None, "repairs": []}


def test_another_operators_is_nobodys(stranger_api: Api, operator: Operator) -> None:
    station = make_station(operator)
    assert stranger_api.get(f"/stations/{station.identity}/repairs/").status_code == 404
