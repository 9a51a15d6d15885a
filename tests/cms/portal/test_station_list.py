"""The list of stations: search, filters, sorting, pages, and the same as a file."""

import csv
import io
import re
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Operator
from cms.portal.export import cell
from tests.factories import (
    make_connector,
    make_connector_status,
    make_gateway,
    make_location,
    make_operator,
    make_state,
    make_station,
    make_transaction,
    unique,
)


@pytest.fixture
def operator(db: None) -> Operator:
    return make_operator()


@pytest.fixture
def client(operator: Operator, client_as: Callable[..., Client]) -> Client:
    return client_as(operator)


def listed(client: Client, **query: str) -> list[str]:
    """The identities on the page, in order."""
    response = client.get(f"/operator/stations/?{urlencode(query)}")
    assert response.status_code == 200
    return [view.station.identity for view in response.context["found"].stations]


def exported(client: Client, **query: str) -> list[list[str]]:
    response = client.get(f"/operator/stations.csv?{urlencode(query)}")
    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("text/csv")
    return list(csv.reader(io.StringIO(response.getvalue().decode("utf-8-sig"))))


@pytest.mark.parametrize("words", ["by the HARB", "arbour", "hamburg", "sn-77"])
def test_search_looks_at_names_sites_and_serial_numbers(
    operator: Operator, client: Client, words: str
) -> None:
    site = make_location(operator, name="Harbour", city="Hamburg")
    found = make_station(operator, name="By the harbour", location=site)
    make_state(found, serial_number="SN-77")
    make_station(operator, name="Elsewhere")
    assert listed(client, q=words) == [found.identity]


def test_filters_hold_together(operator: Operator, client: Client) -> None:
    site, gateway = make_location(operator), make_gateway()
    wanted, other_site, other_model, offline, new = (make_station(operator) for _ in range(5))
    for station in (wanted, other_model, offline, new):
        station.location = site
        station.save(update_fields=["location"])
    make_state(wanted, gateway=gateway, model="T1")
    make_state(other_site, gateway=gateway, model="T1")
    make_state(other_model, gateway=gateway, model="T2")
    make_state(offline, model="T1")
    assert listed(client, status="online", location=str(site.pk), model="T1") == [wanted.identity]
    assert listed(client, status="new") == [new.identity]
    assert set(listed(client, status="offline")) == {offline.identity, new.identity}


@pytest.mark.parametrize("status", ["charging", "faulted"])
def test_what_an_offline_station_said_last_finds_nothing(
    operator: Operator, client: Client, status: str
) -> None:
    live, lost = make_station(operator), make_station(operator)
    make_state(live, gateway=make_gateway())
    make_state(lost, gateway=make_gateway(lease=timedelta(minutes=-1)))
    for station in (live, lost):
        make_transaction(station)
        make_connector_status(station, 2, status="Faulted")
    assert listed(client, status=status) == [live.identity]


@pytest.mark.parametrize("sort", ["identity", "name", "location", "model", "seen"])
@pytest.mark.parametrize("sign", ["", "-"])
def test_pages_of_every_order_show_each_station_once(
    operator: Operator, client: Client, monkeypatch: pytest.MonkeyPatch, sort: str, sign: str
) -> None:
    """Also where many have the same value, or none."""
    monkeypatch.setattr("cms.portal.station_list.STATIONS_PER_PAGE", 2)
    site = make_location(operator, name="A “site”, with: marks")
    now = timezone.now()
    stations = [
        make_station(operator, name="same", location=site if n % 2 else None) for n in range(5)
    ]
    for n, station in enumerate(stations[:3]):
        make_state(station, last_seen_at=now - timedelta(hours=n // 2), model=f"M{n // 2}")
    seen: list[str] = []
    address = f"/operator/stations/?sort={sign}{sort}"
    for _ in range(3):
        response = client.get(address)
        seen += [view.station.identity for view in response.context["found"].stations]
        address = "/operator/stations/" + response.context["next_href"]
    assert response.context["next_href"] == ""
    assert sorted(seen) == sorted(station.identity for station in stations)
    assert listed(client, sort=f"{sign}{sort}") == seen[:2]
    assert [row[0] for row in exported(client, sort=f"{sign}{sort}")[1:]] == seen


def test_last_seen_first_or_last(operator: Operator, client: Client) -> None:
    now = timezone.now()
    long_ago, just_now, never = (make_station(operator).identity for _ in range(3))
    by_identity = {station.identity: station for station in operator.stations.all()}
    make_state(by_identity[long_ago], last_seen_at=now - timedelta(days=9))
    make_state(by_identity[just_now], last_seen_at=now)
    assert listed(client, sort="-seen") == [just_now, long_ago, never]
    assert listed(client, sort="seen") == [never, long_ago, just_now]


def test_a_link_of_the_list_keeps_what_it_is_not_about(operator: Operator, client: Client) -> None:
    make_state(make_station(operator), gateway=make_gateway())
    response = client.get("/operator/stations/?q=cp&status=online&sort=-seen")
    page = response.content.decode()
    assert 'href="?q=cp&amp;status=online&amp;sort=seen"' in page
    assert 'href="?q=cp&amp;sort=-seen"' in page
    assert 'href="/operator/stations.csv?q=cp&amp;status=online&amp;sort=-seen"' in page


def test_the_list_costs_the_same_however_many_stations_there_are(
    operator: Operator, client: Client
) -> None:
    def make(count: int) -> None:
        for _ in range(count):
            station = make_station(operator, location=make_location(operator))
            make_state(station, gateway=make_gateway())
            make_connector(station)
            make_connector_status(station)
            make_transaction(station)

    def queries(path: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            client.get(path).getvalue()
        return len(captured)

    paths = ["/operator/stations/?q=CP", "/operator/stations.csv", "/operator/map/"]
    make(1)
    before = {path: queries(path) for path in paths}
    make(5)
    assert {path: queries(path) for path in paths} == before
    assert before["/operator/stations/?q=CP"] <= 13
    assert before["/operator/stations.csv"] <= 8
    assert before["/operator/map/"] <= 6


def test_the_export_reads_in_chunks_and_leaves_nothing_out(
    operator: Operator, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cms.portal.station_list.EXPORT_CHUNK", 2)
    identities = sorted(make_station(operator).identity for _ in range(5))
    rows = exported(client)
    assert rows[0][0] == "Identity"
    assert [row[0] for row in rows[1:]] == identities


def test_the_export_shows_what_the_list_shows(operator: Operator, client: Client) -> None:
    make_station(operator, name="other")
    found = make_station(operator, name="Bay “4”, north;\nupper deck")
    make_state(found, gateway=make_gateway(), vendor="Acme", model="Wallbox")
    make_connector(found, standard="IEC_62196_T2")
    make_connector_status(found)
    (row,) = exported(client, q="upper")[1:]
    assert row[:2] == [found.identity, found.name]
    assert row[3] == "Online"
    assert row[5:7] == ["Acme", "Wallbox"]
    assert row[9] == "1 Type 2 Available"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@A1", "\t=1", "\r=1", "\n=1"])
def test_no_cell_is_a_formula(text: str) -> None:
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize(("value", "shown"), [(-5, -5), ("a=1", "a=1"), (None, ""), ("", "")])
def test_other_cells_are_as_they_are(value: object, shown: object) -> None:
    assert cell(value) == shown


def test_an_identity_that_looks_like_a_formula_is_harmless(
    operator: Operator, client: Client
) -> None:
    identity = unique("=CMD")
    make_station(operator, identity=identity)
    assert exported(client)[1][0] == f"'{identity}"


def test_the_list_of_a_new_operator_leads_to_the_first_station(client: Client) -> None:
    page = client.get("/operator/stations/").content.decode()
    assert "You have no stations yet." in page
    assert re.search(r'href="/operator/new-station/"', page)
    assert "No station matches." in client.get("/operator/stations/?q=x").content.decode()
