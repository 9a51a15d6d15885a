"""OCPI tariff objects in and out."""

import copy
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest

from billing.tariffs.exceptions import TariffInvalid
from billing.tariffs.ocpi import parse_tariff, tariff_to_json
from billing.tariffs.tariff import (
    DayOfWeek,
    Dimension,
    PriceBound,
    PriceComponent,
    ReservationRestriction,
    Restrictions,
    TariffType,
)
from cms.base import json as exact_json

FULL = """{
  "country_code": "DE", "party_id": "MAG", "id": "night-1", "currency": "EUR", "type": "REGULAR",
  "tariff_alt_text": [{"language": "en", "text": "Cheap at night."}],
  "tariff_alt_url": "https://example.org/t/1",
  "min_price": {"excl_vat": 0.50}, "max_price": {"excl_vat": 50, "incl_vat": 59.50},
  "elements": [
    {"price_components": [
        {"type": "ENERGY", "price": 0.2500, "vat": 19.0, "step_size": 1},
        {"type": "PARKING_TIME", "price": 6, "step_size": 60}],
     "restrictions": {"start_time": "22:00", "end_time": "06:00", "start_date": "2026-01-01",
        "end_date": "2027-01-01", "min_kwh": 0, "max_kwh": 12.50, "min_current": 1.0, "max_current": 32,
        "min_power": 3.70, "max_power": 22, "min_duration": 60, "max_duration": 7200,
        "day_of_week": ["MONDAY", "SUNDAY"]}},
    {"price_components": [{"type": "FLAT", "price": 0.10, "step_size": 1}],
     "restrictions": {"reservation": "RESERVATION"}}],
  "start_date_time": "2026-01-01T00:00:00Z", "end_date_time": "2026-12-31T23:59:59Z",
  "energy_mix": {"is_green_energy": true, "energy_sources": [{"source": "SOLAR", "percentage": 99.50}]},
  "last_updated": "2026-01-01T00:00:00Z",
  "x_magetsi": {"name": "Night", "idle_grace_s": 600, "idle_cap": 12.00, "country": "DE"}}"""


def full() -> dict[str, Any]:
    data: dict[str, Any] = exact_json.loads(FULL)
    return data


def least() -> dict[str, Any]:
    return {
        "currency": "EUR",
        "elements": [
            {"price_components": [{"type": "ENERGY", "price": Decimal("0.25"), "step_size": 1}]}
        ],
    }


def test_every_member_comes_back_with_the_same_digits_in_ocpis_order() -> None:
    written = exact_json.dumps(tariff_to_json(parse_tariff(full())))
    assert written == exact_json.dumps(full())
    for digits in ("0.2500", "19.0", "12.50", "59.50", "99.50", '"price":6,', "12.00"):
        assert digits in written


def test_the_members_become_values() -> None:
    read = parse_tariff(full())
    assert (read.id, read.currency, read.type) == ("night-1", "EUR", TariffType.REGULAR)
    assert (read.name, read.idle_grace_s, read.idle_cap) == ("Night", 600, Decimal(12))
    assert read.min_price == PriceBound(excl_vat=Decimal("0.5"), incl_vat=None)
    assert read.elements[0].price_components == (
        PriceComponent(Dimension.ENERGY, Decimal("0.25"), Decimal(19), 1),
        PriceComponent(Dimension.PARKING_TIME, Decimal(6), None, 60),
    )
    assert read.elements[0].restrictions == Restrictions(
        start_time=time(22),
        end_time=time(6),
        start_date=date(2026, 1, 1),
        end_date=date(2027, 1, 1),
        min_kwh=Decimal(0),
        max_kwh=Decimal("12.5"),
        min_current=Decimal(1),
        max_current=Decimal(32),
        min_power=Decimal("3.7"),
        max_power=Decimal(22),
        min_duration=60,
        max_duration=7200,
        day_of_week=(DayOfWeek.MONDAY, DayOfWeek.SUNDAY),
    )
    assert read.elements[1].restrictions == Restrictions(
        reservation=ReservationRestriction.RESERVATION
    )


def test_the_least_tariff_stays_the_least() -> None:
    assert tariff_to_json(parse_tariff(least())) == least()


def test_null_is_absent() -> None:
    data = least() | {"min_price": None, "type": None, "x_magetsi": None}
    data["elements"][0]["restrictions"] = None
    assert parse_tariff(data) == parse_tariff(least())


def test_flat_needs_no_step_size() -> None:
    data = least()
    data["elements"][0]["price_components"] = [{"type": "FLAT", "price": 1}]
    assert parse_tariff(data).elements[0].price_components[0].step_size == 1


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-03-01T12:00:00Z", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("2026-03-01T12:00:00", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ("2026-03-01T12:00:00.250+02:00", datetime(2026, 3, 1, 10, 0, 0, 250_000, tzinfo=UTC)),
    ],
)
def test_times_are_utc_with_or_without_a_zone(text: str, instant: datetime) -> None:
    assert parse_tariff(least() | {"start_date_time": text}).start_date_time == instant


def test_a_tariff_applies_from_its_start_until_before_its_end() -> None:
    read = parse_tariff(full())
    start, end = read.start_date_time, read.end_date_time
    assert start and end
    second = timedelta(seconds=1)
    found = [read.applies_at(at) for at in (start - second, start, end - second, end)]
    assert found == [False, True, True, False]
    assert parse_tariff(least()).applies_at(start)


def _with(path: str, value: Any) -> dict[str, Any]:
    data = copy.deepcopy(full())
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    place: Any = data
    for part in parents:
        place = place[part]
    place[last] = value
    return data


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("currency", None),
        ("currency", "EURO"),
        ("currency", 978),
        ("currency", ["EUR"]),
        ("id", ""),
        ("id", "x" * 37),
        ("id", "nul\x00"),
        ("id", "lone\ud800"),
        ("type", "SPECIAL"),
        ("tariff_alt_text", "free"),
        ("tariff_alt_text.0.text", None),
        ("tariff_alt_text.0.colour", "red"),
        ("tariff_alt_url", 5),
        ("energy_mix", "green"),
        ("energy_mix", {"a": "\x00"}),
        ("min_price", 5),
        ("min_price", {}),
        ("min_price.excl_vat", "5"),
        ("max_price.excl_vat", Decimal("0.49")),
        ("elements", None),
        ("elements", []),
        ("elements", [{"price_components": []}] * 101),
        ("elements.0", 7),
        ("elements.0.colour", "red"),
        ("elements.0.price_components", None),
        ("elements.0.price_components", []),
        ("elements.0.price_components.1.type", "ENERGY"),
        ("elements.0.price_components.0.type", "WATER"),
        ("elements.0.price_components.0.type", ["ENERGY"]),
        ("elements.0.price_components.0.price", None),
        ("elements.0.price_components.0.price", "0.25"),
        ("elements.0.price_components.0.price", True),
        ("elements.0.price_components.0.price", Decimal("-0.01")),
        ("elements.0.price_components.0.price", 10**400),
        ("elements.0.price_components.0.price", Decimal("1E+400")),
        ("elements.0.price_components.0.price", Decimal("1E-13")),
        ("elements.0.price_components.0.price", Decimal("NaN")),
        ("elements.0.price_components.0.price", Decimal("Infinity")),
        ("elements.0.price_components.0.vat", Decimal("100.1")),
        ("elements.0.price_components.0.vat", "19"),
        ("elements.0.price_components.0.step_size", None),
        ("elements.0.price_components.0.step_size", Decimal("1.5")),
        ("elements.0.price_components.0.step_size", -1),
        ("elements.0.price_components.0.discount", 5),
        ("elements.0.restrictions", []),
        ("elements.0.restrictions.start_time", "24:00"),
        ("elements.0.restrictions.start_time", "7:00"),
        ("elements.0.restrictions.start_time", 700),
        ("elements.0.restrictions.start_time", "२२:00"),
        ("elements.0.restrictions.start_date", "2026-02-30"),
        ("elements.0.restrictions.start_date", "20260201"),
        ("elements.0.restrictions.end_date", "2026-01-01"),
        ("elements.0.restrictions.max_kwh", 0),
        ("elements.0.restrictions.max_duration", 60),
        ("elements.0.restrictions.min_power", "3"),
        ("elements.0.restrictions.day_of_week", "MONDAY"),
        ("elements.0.restrictions.day_of_week", ["Montag"]),
        ("elements.0.restrictions.day_of_week", [["MONDAY"]]),
        ("elements.0.restrictions.reservation", "MAYBE"),
        ("elements.0.restrictions.weather", "rain"),
        ("elements.1.price_components.0.type", "ENERGY"),
        ("start_date_time", "yesterday"),
        ("start_date_time", "2026-13-01T00:00:00Z"),
        ("start_date_time", "2027-01-01T00:00:00Z"),
        ("x_magetsi", "night"),
        ("x_magetsi.idle_grace_s", -1),
        ("x_magetsi.idle_grace_s", 32 * 24 * 3600),
        ("x_magetsi.idle_cap", "12"),
        ("x_magetsi.country", "Germany"),
        ("x_magetsi.country", "de"),
        ("x_magetsi.name", 5),
        ("x_magetsi.name", "x" * 121),
        ("x_magetsi.colour", "red"),
        ("colour", "red"),
        ("price\x00\ud800" + "x" * 100, 5),
    ],
)
def test_a_wrong_member_is_named_by_its_path(path: str, value: Any) -> None:
    with pytest.raises(TariffInvalid) as refusal:
        parse_tariff(_with(path, value))
    fields = refusal.value.data["fields"]
    assert (refusal.value.code, refusal.value.status) == ("invalid", 400)
    assert fields
    assert all(sentence.endswith(".") for found in fields.values() for sentence in found)
    exact_json.dumps(fields)  # whatever was sent, the answer can be written


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("elements.0.price_components.0.vat", "19", "elements.0.price_components.0.vat"),
        ("elements.0.restrictions.weather", "rain", "elements.0.restrictions.weather"),
        ("start_date_time", "2027-01-01T00:00:00Z", "end_date_time"),
        ("elements.1.price_components.0.type", "ENERGY", "elements.1.price_components"),
        ("x_magetsi.colour", "red", "x_magetsi.colour"),
    ],
)
def test_the_path_leads_to_the_member(path: str, value: Any, named: str) -> None:
    with pytest.raises(TariffInvalid) as refusal:
        parse_tariff(_with(path, value))
    assert list(refusal.value.data["fields"]) == [named]


def test_every_complaint_is_made_at_once() -> None:
    data = _with("currency", "EURO") | {"colour": "red", "id": 5}
    with pytest.raises(TariffInvalid) as refusal:
        parse_tariff(data)
    assert set(refusal.value.data["fields"]) == {"currency", "colour", "id"}


@pytest.mark.parametrize("data", [None, [], "tariff", 5, {}])
def test_what_is_no_tariff_at_all_is_refused(data: Any) -> None:
    with pytest.raises(TariffInvalid):
        parse_tariff(data)


def test_a_float_is_the_callers_mistake() -> None:
    with pytest.raises(TypeError, match="parse_float"):
        parse_tariff(_with("elements.0.price_components.0.price", 0.25))
