"""Making and changing stations and locations, passwords, labels, the map."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.choices import Role
from accounts.models import AuditEntry, Operator
from cms.portal.labels import qr_svg
from cms.portal.plans import power_type
from stations.choices import SecurityProfile
from stations.models import ChargingStation, Connector, Location
from stations.services.passwords import verify_password
from tests.cms.portal.conftest import World
from tests.cms.portal.test_pages import text
from tests.factories import (
    make_connector,
    make_gateway,
    make_location,
    make_operator,
    make_state,
    make_station,
    unique,
)


@pytest.fixture
def operator(db: None) -> Operator:
    return make_operator(time_zone="Africa/Blantyre", country="MW")


@pytest.fixture
def client(operator: Operator, client_as: Callable[..., Client]) -> Client:
    return client_as(operator, Role.OWNER)


Line = tuple[str, str]


def lines(*outlets: dict[str, Any], initial: int = 0) -> dict[str, Any]:
    """The form set's part of a post."""
    data: dict[str, Any] = {
        "outlets-TOTAL_FORMS": len(outlets),
        "outlets-INITIAL_FORMS": initial,
    }
    for number, outlet in enumerate(outlets):
        data |= {f"outlets-{number}-{name}": value for name, value in outlet.items()}
    return data


def plan_of(station: ChargingStation) -> list[tuple[int, int, str, str, int | None]]:
    rows = Connector.objects.filter(evse__station=station)
    return list(
        rows.order_by("evse__evse_id", "connector_id").values_list(
            "evse__evse_id", "connector_id", "standard", "power_type", "max_power_w"
        )
    )


# --- a new station ---------------------------------------------------------------------------


def test_a_new_station_gets_its_password_and_address_shown_once(
    operator: Operator, client: Client, settings: Settings
) -> None:
    settings.BASE_URL = "https://charge.example"
    identity, site = unique("NEW"), make_location(operator)
    response = client.post(
        "/operator/new-station/",
        {
            "identity": identity,
            "name": "Bay 4",
            "location": site.pk,
            "security_profile": 1,
            **lines(
                {"standard": "IEC_62196_T2_COMBO", "max_power_kw": "150"},
                {"standard": "", "max_power_kw": ""},
                {"standard": "IEC_62196_T2", "max_power_kw": "22.5"},
            ),
        },
    )
    station = ChargingStation.objects.get(identity=identity)
    assert (station.operator, station.name, station.location) == (operator, "Bay 4", site)
    assert plan_of(station) == [
        (1, 1, "IEC_62196_T2_COMBO", "DC", 150_000),
        (2, 1, "IEC_62196_T2", "AC_3_PHASE", 22_500),
    ]
    password = response.context["password"]
    page = response.content.decode()
    assert password in page
    assert f"wss://charge.example/ocpp/{identity}" in page
    assert verify_password(password.encode(), station.password_hash)
    assert "no-store" in response.headers["Cache-Control"]
    assert password not in client.get(f"/operator/stations/{identity}/settings/").content.decode()


def test_the_address_of_an_identity_with_blanks_can_be_typed(client: Client) -> None:
    identity = unique("Bay 4 | north")
    response = client.post(
        "/operator/new-station/", {"identity": identity, "security_profile": 1, **lines()}
    )
    assert response.context["full_address"].endswith(
        "/ocpp/" + identity.replace(" ", "%20").replace("|", "%7C")
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"identity": "with/slash"}, "An identity has 1 to 48 characters"),
        ({"identity": ""}, "This field is required."),
        ({"security_profile": "3"}, "Select a valid choice"),
        ({"location": "99999999"}, "Select a valid choice"),
        ({"outlets-0-max_power_kw": "22"}, "Choose the plug of this outlet."),
        ({"outlets-0-standard": "NO_SUCH"}, "Select a valid choice"),
    ],
)
def test_what_cannot_be_is_said_beside_its_field_and_nothing_is_made(
    client: Client, changes: dict[str, str], said: str
) -> None:
    identity = unique("NEW")
    data = {"identity": identity, "security_profile": "1", **lines({"standard": ""})} | changes
    response = client.post("/operator/new-station/", data)
    assert response.status_code == 400
    assert said in response.content.decode()
    assert not ChargingStation.objects.filter(identity=identity).exists()


def test_a_taken_identity_is_refused_whoever_has_it(client: Client) -> None:
    taken = make_station()
    data = {"identity": taken.identity, "security_profile": 1, **lines()}
    response = client.post("/operator/new-station/", data)
    assert response.status_code == 400
    assert "It is taken." in response.content.decode()


def test_no_password_is_offered_only_where_that_is_allowed(
    client: Client, settings: Settings
) -> None:
    settings.OCPP_ALLOW_PROFILE_0 = False
    data = {"identity": unique("NEW"), "security_profile": 0, **lines()}
    assert client.post("/operator/new-station/", data).status_code == 400
    settings.OCPP_ALLOW_PROFILE_0 = True
    response = client.post("/operator/new-station/", data)
    assert response.context["password"] is None


def test_the_location_of_another_operator_is_no_choice(client: Client) -> None:
    foreign = make_location(make_operator())
    assert foreign.name not in client.get("/operator/new-station/").content.decode()
    data = {"identity": unique("NEW"), "location": foreign.pk, "security_profile": 1, **lines()}
    assert client.post("/operator/new-station/", data).status_code == 400


@pytest.mark.parametrize(
    ("role", "may"),
    [
        (Role.OWNER, True),
        (Role.MANAGER, True),
        (Role.TECHNICIAN, True),
        (Role.SUPPORT, False),
        (Role.FINANCE, False),
        (Role.VIEWER, False),
    ],
)
def test_roles_decide_who_makes_and_changes_stations(
    operator: Operator, client_as: Callable[..., Client], role: Role, may: bool
) -> None:
    client, station = client_as(operator, role), make_station(operator)
    own = f"/operator/stations/{station.identity}/"
    data = {"identity": unique("NEW"), "security_profile": 1, **lines()}
    assert client.post("/operator/new-station/", data).status_code == (200 if may else 403)
    changes = {"name": "x", "registration_status": "accepted", "security_profile": 1, **lines()}
    assert client.post(f"{own}settings/", changes).status_code == (302 if may else 403)
    assert client.post(f"{own}new-password/").status_code == (200 if may else 403)
    assert ("/operator/new-station/" in client.get("/operator/stations/").content.decode()) is may
    assert ('name="registration_status"' in client.get(f"{own}settings/").content.decode()) is may


# --- settings --------------------------------------------------------------------------------


def saved(client: Client, station: ChargingStation, **changes: Any) -> int:
    """The status of a post with the present settings and `changes`."""
    data = {
        "name": station.name,
        "location": station.location_id or "",
        "registration_status": station.registration_status,
        "security_profile": station.security_profile,
        **lines(),
    }
    path = f"/operator/stations/{station.identity}/settings/"
    return client.post(path, data | changes).status_code


def test_settings_write_only_what_was_changed(operator: Operator, client: Client) -> None:
    station = make_station(operator, name="Old")
    assert saved(client, station, name="New") == 302
    station.refresh_from_db()
    assert station.name == "New"
    entry = AuditEntry.objects.get(action="station.update", object_id=str(station.pk))
    assert (entry.before, entry.after) == ({"name": "Old"}, {"name": "New"})


def test_saving_without_outlets_leaves_those_alone_that_are_there(
    operator: Operator, client: Client
) -> None:
    station = make_station(operator)
    connector = make_connector(station, standard="CHADEMO", power_type="DC", max_power_w=50_000)
    line = {"evse": 1, "connector": 1, "standard": "CHADEMO", "max_power_kw": "50"}
    assert saved(client, station, name="x", **lines(line, initial=1)) == 302
    assert Connector.objects.filter(pk=connector.pk).exists()
    assert plan_of(station) == [(1, 1, "CHADEMO", "DC", 50_000)]


def test_an_outlet_is_changed_added_and_removed_and_keeps_its_code(
    operator: Operator, client: Client
) -> None:
    station = make_station(operator)
    kept = make_connector(
        station, 1, standard="IEC_62196_T2", power_type="AC_2_PHASE", max_power_w=11_000,
        code="ABCD2345",
    )  # fmt: skip
    make_connector(station, 2, standard="IEC_62196_T2", max_power_w=11_000)
    page = client.get(f"/operator/stations/{station.identity}/settings/").content.decode()
    assert 'value="11"' in page
    outlets = lines(
        {"evse": 1, "connector": 1, "standard": "IEC_62196_T2", "max_power_kw": "11"},
        {"evse": 2, "connector": 1, "standard": "IEC_62196_T2", "remove": "on"},
        {"standard": "IEC_62196_T2_COMBO", "max_power_kw": "300"},
        initial=2,
    )
    assert saved(client, station, **outlets) == 302
    assert plan_of(station) == [
        (1, 1, "IEC_62196_T2", "AC_2_PHASE", 11_000),
        (2, 1, "IEC_62196_T2_COMBO", "DC", 300_000),
    ]
    kept.refresh_from_db()
    assert kept.code == "ABCD2345"


def test_an_outlet_named_twice_is_refused(operator: Operator, client: Client) -> None:
    station = make_station(operator)
    make_connector(station)
    line = {"evse": 1, "connector": 1, "standard": "CHADEMO"}
    assert saved(client, station, **lines(line, line, initial=1)) == 400
    assert len(plan_of(station)) == 1


def test_lowering_a_profile_is_the_owners(
    operator: Operator, client: Client, client_as: Callable[..., Client]
) -> None:
    station = make_station(operator, security_profile=SecurityProfile.TLS_BASIC)
    manager = client_as(operator, Role.MANAGER)
    assert saved(manager, station, security_profile=1) == 400
    station.refresh_from_db()
    assert station.security_profile == SecurityProfile.TLS_BASIC
    assert saved(client, station, security_profile=1) == 302


def test_a_profile_that_needs_a_password_gets_one_made(operator: Operator, client: Client) -> None:
    station = make_station(operator, security_profile=SecurityProfile.NONE, password_hash="")
    assert saved(client, station, security_profile=1) == 200
    station.refresh_from_db()
    assert station.password_hash


def test_a_new_password_is_asked_about_then_shown_once(operator: Operator, client: Client) -> None:
    station = make_station(operator)
    path = f"/operator/stations/{station.identity}/new-password/"
    assert "The old password stops working" in text(client, path)
    before = station.password_hash
    response = client.post(path)
    station.refresh_from_db()
    assert station.password_hash != before
    assert verify_password(response.context["password"].encode(), station.password_hash)
    assert AuditEntry.objects.filter(
        action="station.update", object_id=str(station.pk), after__password="changed"
    ).exists()


@pytest.mark.parametrize(
    ("standard", "power_w", "word"),
    [
        ("IEC_62196_T2", 22_000, "AC_3_PHASE"),
        ("IEC_62196_T2", 7_400, "AC_1_PHASE"),
        ("IEC_62196_T2", None, "AC_3_PHASE"),
        ("IEC_62196_T1", 7_700, "AC_1_PHASE"),
        ("CHADEMO", 50_000, "DC"),
        ("IEC_62196_T2_COMBO", None, "DC"),
        ("", 11_000, ""),
    ],
)
def test_plug_and_power_tell_the_kind_of_current(
    standard: str, power_w: int | None, word: str
) -> None:
    assert power_type(standard, power_w) == word


# --- locations and the map -------------------------------------------------------------------

SITE = {
    "name": "Harbour",
    "city": "Lilongwe",
    "country": "mw",
    "latitude": "-13.9626",
    "longitude": "33.7741",
    "time_zone": "Africa/Blantyre",
}


def test_a_location_is_made_and_changed(operator: Operator, client: Client) -> None:
    assert client.post("/operator/new-location/", SITE).status_code == 302
    site = Location.objects.get(operator=operator)
    assert (site.name, site.country, site.time_zone) == ("Harbour", "MW", "Africa/Blantyre")
    assert (site.latitude, site.longitude) == (Decimal("-13.9626"), Decimal("33.7741"))
    path = f"/operator/locations/{site.pk}/"
    assert client.post(path, SITE | {"name": "Quay"}).status_code == 302
    entry = AuditEntry.objects.get(action="location.update", object_id=str(site.pk))
    assert entry.after == {"name": "Quay"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"longitude": ""}, "A place on the map needs both."),
        ({"latitude": "91"}, "less than or equal to 90"),
        ({"latitude": "NaN"}, "Enter a number."),
        ({"country": "M1"}, "A country has two letters"),
        ({"time_zone": "Moon/Sea"}, "Select a valid choice"),
        ({"name": " "}, "This field is required."),
    ],
)
def test_a_location_that_cannot_be_is_refused(
    operator: Operator, client: Client, changes: dict[str, str], said: str
) -> None:
    response = client.post("/operator/new-location/", SITE | changes)
    assert response.status_code == 400
    assert said in response.content.decode()
    assert not Location.objects.filter(operator=operator).exists()


def test_locations_are_for_managers_to_change_and_for_all_to_see(
    operator: Operator, client_as: Callable[..., Client]
) -> None:
    site = make_location(operator, name="Harbour")
    technician = client_as(operator, Role.TECHNICIAN)
    assert technician.post("/operator/new-location/", SITE).status_code == 403
    assert technician.post(f"/operator/locations/{site.pk}/", SITE).status_code == 403
    assert "may not change locations" in text(technician, f"/operator/locations/{site.pk}/")


def test_the_map_has_each_place_with_the_worst_of_its_stations(
    operator: Operator, client: Client
) -> None:
    place = make_location(operator, latitude=Decimal("-13.5"), longitude=Decimal("33.25"))
    nowhere = make_location(operator, name="No coordinates")
    gateway = make_gateway()
    make_state(make_station(operator, location=place), gateway=gateway)
    make_state(make_station(operator, location=place), gateway=gateway, status="Faulted")
    make_station(operator, location=nowhere)
    make_station(operator)
    response = client.get("/operator/map/")
    page = response.content.decode()
    assert re.search(
        r'data-latitude="-13\.5000000" data-longitude="33\.2500000"\s+data-colour="bad"', page
    )
    assert "2 stations · 1 faulted" in text(client, "/operator/map/")
    assert "not on the map yet" in page
    assert "1 station stands at no location yet." in page
    assert response.context["places"].on_map[0].location == place
    assert [each.location for each in response.context["places"].worst_first] == [place, nowhere]


@pytest.mark.parametrize(
    ("tiles", "allowed"),
    [
        ("https://tiles.example/{z}/{x}/{y}.png", "img-src 'self' data: https://tiles.example;"),
        ("https://{s}.tiles.example/{z}/{x}/{y}.png", "img-src 'self' data: https://*.tiles.example;"),
        ("/tiles/{z}/{x}/{y}.png", "img-src 'self' data: 'self';"),
        ("", "img-src 'self' data:;"),
    ],
)  # fmt: skip
def test_only_the_map_may_load_tiles_and_only_from_where_they_come(
    operator: Operator, client: Client, settings: Settings, tiles: str, allowed: str
) -> None:
    settings.MAP_TILE_URL = tiles
    make_location(operator)
    response = client.get("/operator/map/")
    assert allowed in response.headers["Content-Security-Policy"]
    assert f'data-tiles="{tiles}"' in response.content.decode()
    assert "img-src 'self' data:;" in client.get("/operator/").headers["Content-Security-Policy"]


# --- labels ----------------------------------------------------------------------------------


def test_each_connector_has_a_label_with_a_code_that_stays(
    world: World, owner: Client, settings: Settings
) -> None:
    settings.BASE_URL = "https://charge.example"
    path = f"/operator/stations/{world.station.identity}/labels/"
    first = [label.address for label in owner.get(path).context["labels"]]
    codes = list(
        Connector.objects.filter(evse__station=world.station)
        .order_by("evse__evse_id")
        .values_list("code", flat=True)
    )
    assert first == [f"https://charge.example/c/{code}" for code in codes]
    assert [label.address for label in owner.get(path).context["labels"]] == first
    page = owner.get(path).content.decode()
    assert all(f"{code[:4]}-{code[4:]}" in page for code in codes)
    assert page.count('class="qr"') == 2


def test_a_station_without_described_outlets_leads_to_its_settings(
    operator: Operator, client: Client
) -> None:
    station = make_station(operator)
    page = client.get(f"/operator/stations/{station.identity}/labels/").content.decode()
    assert "No outlet is described yet." in page
    assert f"/operator/stations/{station.identity}/settings/" in page


def test_a_qr_symbol_has_its_finders_and_its_quiet_zone() -> None:
    """Three squares of seven modules in the corners, four white modules around (ISO/IEC 18004)."""
    svg = qr_svg("https://charge.example/c/ABCD2345")
    box = re.search(r'viewBox="0 0 (\d+) \1"', svg)
    assert box is not None
    size = int(box[1]) - 8
    assert (size - 17) % 4 == 0
    dark = {(int(x) - 4, int(y) - 4) for x, y in re.findall(r"M(\d+) (\d+)h1v1h-1z", svg)}
    assert all(0 <= x < size and 0 <= y < size for x, y in dark)
    ring = {(x, y) for x in range(7) for y in range(7) if {x, y} & {0, 6}}
    for left, top in ((0, 0), (size - 7, 0), (0, size - 7)):
        assert {(left + x, top + y) for x, y in ring} <= dark
        assert (left + 1, top + 1) not in dark
        assert (left + 3, top + 3) in dark
