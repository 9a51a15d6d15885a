"""The list of sites, one site, codes, and prices in words."""

from datetime import time
from decimal import Decimal
from itertools import product

import pytest
from django.test import Client
from django.utils import timezone, translation

from accounts.models import Operator
from billing.exceptions import NoTariff
from billing.sessions.quotes import quote_session
from billing.tariffs.ocpi import parse_tariff
from billing.tariffs.selectors import tariff_version_for
from cms.drivers.price_list import tariffs_at
from cms.drivers.prices import EXAMPLE_WH, energy_price_from, example_s, price_card, price_words
from stations.models import ChargingStation, Connector
from stations.selectors.stations import with_state
from stations.services import connector_codes
from stations.services.connector_codes import (
    ensure_connector_code,
    ensure_connector_codes,
    normal_code,
)
from tests.billing.factories import assign, component, hours_ago, make_tariff, tariff_object
from tests.cms.drivers.conftest import Site, make_site
from tests.factories import (
    make_connector,
    make_connector_status,
    make_location,
    make_station,
    make_transaction,
    unique,
)


def listed(query: str = "") -> str:
    return Client().get(f"/sites/{query}").content.decode().replace("\xa0", " ")


# --- the list ---------------------------------------------------------------------------------


def test_a_site_is_listed_with_free_connectors_power_price_and_plugs(site: Site) -> None:
    make_connector(site.station, 2, max_power_w=150_000, standard="IEC_62196_T2_COMBO")
    make_connector_status(site.station, 2, status="Charging")
    page = listed(f"?q={site.station.location.name}")
    for words in ("1 of 2 free", "up to 150 kW", "€0.5831 per kWh", "CCS · Type 2"):
        assert words in page


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q={town}", True), ("q={name}", True), ("q={street}", True), ("q=nowhere-at-all", False),
        ("q={town}%00", True), ("q={town}&power=22", True), ("q={town}&power=50", False),
        ("q={town}&power=junk", True), ("q={town}&free=1", True),
    ],
)  # fmt: skip
def test_the_list_is_filtered(db: None, query: str, found: bool) -> None:
    location = make_site().station.location
    location.city, location.address = unique("Town"), unique("Street")
    location.save()
    asked = query.format(
        town=location.city.upper(), name=location.name.lower(), street=location.address[:-1]
    )
    assert (f"<strong>{location.name}</strong>" in listed(f"?{asked}")) is found


@pytest.mark.parametrize(
    ("status", "online", "charging", "free"),
    [
        ("Available", True, False, "1 of 1 free"),
        ("Available", False, False, "0 of 1 free"),
        ("Available", True, True, "0 of 1 free"),
        ("Faulted", True, False, "0 of 1 free"),
    ],
)
def test_free_means_free_now(
    db: None, status: str, online: bool, charging: bool, free: str
) -> None:
    site = make_site(status=status, online=online)
    if charging:
        make_transaction(site.station)
    assert free in listed(f"?q={site.station.location.name}")


def test_the_list_turns_its_pages_without_losing_or_repeating_a_site(operator: Operator) -> None:
    town = unique("Town")
    names = [f"{town} {number:02d}" for number in range(45)]
    for name in names:
        station = make_station(operator, location=make_location(operator, name=name, city=town))
        make_connector(station)
    seen, query = [], f"?q={town}"
    while query:
        page = listed(query)
        seen += [name for name in names if f"<strong>{name}</strong>" in page]
        more = page.split('rel="next"')[0].split('href="/sites/')[-1].split('"')[0]
        query = more.replace("&amp;", "&") if 'rel="next"' in page else ""
    assert seen == names


def test_the_list_asks_the_same_few_questions_however_many_sites(
    operator: Operator, django_assert_num_queries: object
) -> None:
    town = unique("Town")
    assign(make_tariff(operator))
    counts = []
    for _ in range(2):
        for _ in range(4):
            station = make_station(operator, location=make_location(operator, city=town))
            make_connector(station)
        with django_assert_num_queries(9, exact=False) as asked:  # type: ignore[operator]
            Client().get(f"/sites/?q={town}")
        counts.append(len(asked))
    assert counts[0] == counts[1]


def test_a_site_without_a_station_in_service_is_not_shown(operator: Operator) -> None:
    location = make_location(operator)
    assert Client().get(f"/sites/{location.pk}/").status_code == 404
    station = make_station(operator, location=location, registration_status="pending")
    make_connector(station)
    assert Client().get(f"/sites/{location.pk}/").status_code == 404


def test_a_site_leads_to_each_of_its_connectors(site: Site) -> None:
    make_connector(site.station, 2)
    page = Client().get(f"/sites/{site.station.location_id}/").content.decode()
    for connector in Connector.objects.filter(evse__station=site.station):
        assert f'href="/c/{connector.code}"' in page


def test_a_site_says_first_how_many_connectors_are_free(site: Site) -> None:
    make_connector(site.station, 2)
    page = Client().get(f"/sites/{site.station.location_id}/").content.decode()
    assert "1 of 2 free" in page.split('<ul class="list">')[0]


# --- codes ------------------------------------------------------------------------------------


def test_a_code_is_given_once_and_stays(site: Site) -> None:
    code = ensure_connector_code(site.connector)
    again = Connector.objects.get(pk=site.connector.pk)
    assert ensure_connector_code(again) == code == normal_code(code)
    stale = Connector.objects.defer("code").get(pk=site.connector.pk)
    stale.code = None
    assert ensure_connector_code(stale) == code


def test_a_code_that_is_taken_is_not_given_twice(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = ensure_connector_code(site.connector)
    other = make_connector(site.station, 2)
    letters = iter(taken + "0123456Z")
    monkeypatch.setattr(connector_codes.secrets, "choice", lambda alphabet: next(letters))
    ensure_connector_codes([other])
    assert other.code == "0123456Z"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("abcd-1234", "ABCD1234"), (" ABCD 1234 ", "ABCD1234"), ("oil0OIL0", "01100110"),
        ("ABCD123", None), ("ABCDU234", None), ("ABCD12345", None), ("", None), ("ÄBCD1234", None),
    ],
)  # fmt: skip
def test_what_is_typed_is_read_as_crockford_proposes(typed: str, meant: str | None) -> None:
    assert normal_code(typed) == meant


# --- prices -----------------------------------------------------------------------------------


def test_the_price_of_the_list_is_the_price_of_the_start(operator: Operator) -> None:
    """The list's own rule and the one that bills, over every combination of levels."""
    location = make_location(operator)
    for levels in product([False, True], repeat=4):
        station = make_station(operator, location=location)
        make_connector(station, 1)
        make_connector(station, 2)
        for wanted, where in zip(
            levels,
            ({"station": station, "evse_id": 2}, {"station": station}, {"location": location}, {}),
            strict=True,
        ):
            if wanted:
                assign(make_tariff(operator), created_at=hours_ago(2), **where)
        gone = make_tariff(operator, end_date_time=timezone.now().replace(year=2020).isoformat())
        assign(gone, station=station, evse_id=2)
        now = timezone.now()
        prices = tariffs_at(with_state(ChargingStation.objects.filter(pk=station.pk)), now=now)
        for evse_id in (1, 2):
            version = tariff_version_for(
                station_id=station.pk, evse_id=evse_id, id_token_id=None, at=now
            )
            expected = parse_tariff(version.content) if version else None
            assert prices.get((station.pk, evse_id)) == expected, (levels, evse_id)


def test_the_example_is_what_a_quote_says(site: Site) -> None:
    now = timezone.now()
    card = price_card(
        station=site.station, evse_id=1, max_power_w=22_000, id_token_id=None, now=now
    )
    quote = quote_session(
        station=site.station,
        evse_id=1,
        id_token_id=None,
        starts_at=now,
        energy_wh=EXAMPLE_WH,
        charging_s=example_s(22_000),
        idle_s=0,
        now=now,
    )
    assert f"€{quote.price.gross_minor / 100:.2f}" in card.example


def test_without_a_tariff_there_is_no_price(db: None) -> None:
    site = make_site(priced=False)
    with pytest.raises(NoTariff):
        price_card(
            station=site.station,
            evse_id=1,
            max_power_w=None,
            id_token_id=None,
            now=timezone.now(),
        )


@pytest.mark.parametrize(
    ("power_w", "minutes"), [(None, 40), (3_700, 325), (22_000, 55), (30_000, 40), (150_000, 20)]
)
def test_the_example_takes_as_long_as_the_connector_needs(
    power_w: int | None, minutes: int
) -> None:
    assert example_s(power_w) == minutes * 60


def test_prices_come_in_the_laws_order_gross_and_with_their_conditions() -> None:
    tariff = parse_tariff(
        tariff_object(
            component("FLAT", "0.50", vat="20"),
            component("TIME", "6", vat="20"),
            elements=[
                {
                    "price_components": [component("FLAT", "0.50"), component("TIME", "6")],
                },
                {
                    "price_components": [component("ENERGY", "0.25")],
                    "restrictions": {
                        "start_time": time(22).strftime("%H:%M"),
                        "end_time": "06:00",
                        "day_of_week": ["SATURDAY", "SUNDAY"],
                        "max_kwh": Decimal("30.5"),
                    },
                },
                {
                    "price_components": [
                        component("ENERGY", "0.40"),
                        component("PARKING_TIME", "5", step=300),
                    ]
                },
            ],
        )
    )
    words = [(w.what, w.amount, w.unit, w.notes) for w in price_words(tariff)]
    assert words == [
        (
            "Energy",
            "€0.30",
            "per kWh",
            ("Saturday and Sunday", "from 22:00 to 06:00", "below 30.5 kWh"),
        ),
        ("Energy", "€0.48", "per kWh", ()),
        ("Time while charging", "€0.12", "per minute", ()),
        ("Plugged in without charging", "€0.10", "per minute", ("counted in steps of 5 min",)),
        ("Each session", "€0.60", "once", ()),
    ]
    assert energy_price_from([tariff]) == "from €0.30 per kWh"


def test_a_price_that_has_no_round_minute_stays_an_hours_price() -> None:
    tariff = parse_tariff(tariff_object(component("TIME", "1", vat="19")))
    assert [(w.amount, w.unit) for w in price_words(tariff)] == [("€1.19", "per hour")]
    assert energy_price_from([tariff]) is None


def test_prices_follow_the_readers_language() -> None:
    tariff = parse_tariff(tariff_object(component("ENERGY", "0.49", vat="19")))
    with translation.override("fr"):
        assert price_words(tariff)[0].amount == "0,5831\xa0€"
