"""`manage.py load_demo`: something to look at, the same at every start."""

import re
import stat
from io import StringIO
from pathlib import Path

import pytest
from django.contrib.auth import authenticate
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import Settings

from accounts.choices import IdTokenStatus
from accounts.models import Driver, IdToken, Operator, User
from billing.tariffs.selectors import tariff_version_for
from stations.models import ChargingStation, Connector
from stations.simulator.fleet import DEMO_TAGS, demo_members
from tests.factories import make_station

pytestmark = pytest.mark.django_db


@pytest.fixture
def var(settings: Settings, tmp_path: Path) -> Path:
    settings.VAR_DIR = tmp_path / "var"
    return settings.VAR_DIR


def load(**options: int) -> dict[str, tuple[str, str]]:
    """The printed logins: who, address, password."""
    out = StringIO()
    call_command("load_demo", stdout=out, **options)
    lines = out.getvalue().splitlines()
    found = [re.fullmatch(r"(\w+) login: (\S+) (\S+)", line) for line in lines]
    return {match[1]: (match[2], match[3]) for match in found if match}


def test_the_printed_logins_work_and_stay_the_same(var: Path) -> None:
    logins = load()
    assert set(logins) == {"operator", "driver", "admin"}
    assert load() == logins
    users = {
        who: authenticate(username=name, password=word) for who, (name, word) in logins.items()
    }
    assert all(users.values())
    assert users["admin"].is_superuser
    assert users["operator"].memberships.get().role == "owner"
    assert Driver.objects.get(user=users["driver"]).id_tokens.count() == len(DEMO_TAGS) + 1
    assert stat.S_IMODE((var / "demo-logins.json").stat().st_mode) == 0o600


def test_a_password_that_was_changed_is_set_back(var: Path) -> None:
    email, password = load()["operator"]
    user = User.objects.get(email=email)
    user.set_password("something-else-1")
    user.save()
    assert load()["operator"] == (email, password)
    assert authenticate(username=email, password=password)


def test_a_second_load_changes_nothing(var: Path) -> None:
    load()
    operator = Operator.objects.get(slug="demo")

    def counts() -> list[int]:
        return [
            rows.count()
            for rows in (
                operator.stations,
                operator.id_tokens,
                operator.locations,
                operator.tariffs,
                operator.tariff_assignments,
                operator.memberships,
                operator.audit_entries,
            )
        ]

    before = counts()
    load()
    assert counts() == before
    assert before[0] == 6


def test_the_stations_are_those_that_the_virtual_chargers_play(var: Path) -> None:
    load(stations=8)
    stations = ChargingStation.objects.filter(operator__slug="demo").order_by("identity")
    members = demo_members(8)
    assert [s.identity for s in stations] == [member.identity for member in members]
    for station, member in zip(stations, members, strict=True):
        connectors = Connector.objects.filter(evse__station=station).order_by("evse__evse_id")
        assert [(c.max_power_w, c.power_type == "DC") for c in connectors] == [
            (spec.max_power_w, spec.current.value == "DC") for spec, _ in member.outlets
        ]
    assert {c.standard for c in Connector.objects.filter(power_type="DC")} == {"IEC_62196_T2_COMBO"}


def test_its_cards_are_known_one_is_blocked_and_everything_has_a_price(var: Path) -> None:
    load()
    tokens = IdToken.objects.filter(operator__slug="demo")
    accepted = tokens.filter(status=IdTokenStatus.ACCEPTED).values_list("uid", flat=True)
    assert set(accepted) == set(DEMO_TAGS)
    assert tokens.filter(status=IdTokenStatus.BLOCKED).count() == 1
    station = ChargingStation.objects.get(identity="DEMO-001")
    version = tariff_version_for(
        station_id=station.pk, evse_id=1, id_token_id=tokens[0].pk, at=timezone.now()
    )
    assert version is not None
    assert version.tariff.ocpi_id == "demo-standard"


def test_somebody_elses_station_of_that_name_is_left_alone(var: Path) -> None:
    make_station(identity="DEMO-003")
    with pytest.raises(CommandError, match="identity exists"):
        load()
    assert not Operator.objects.filter(slug="demo").exists()
