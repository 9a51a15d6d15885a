"""The form of a tariff and the OCPI object say the same, or the form steps back."""

from datetime import UTC, datetime, time
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.tariffs.facts import quote_facts
from billing.tariffs.ocpi import parse_tariff, tariff_to_json
from billing.tariffs.plain import Hours, PlainTariff, Prices, from_tariff, to_tariff
from billing.tariffs.rate import rate
from billing.tariffs.tariff import DayOfWeek, TariffType
from cms.base.json import dumps, loads

prices = st.none() | st.decimals(0, 100, places=4)
times = st.times().map(lambda t: t.replace(second=0, microsecond=0))
priced = st.builds(Prices, energy=prices, charging_time=prices, idle_time=prices)
some_price = priced.filter(lambda p: p != Prices())


@st.composite
def hours_of(draw: st.DrawFn) -> Hours:
    starts, ends = draw(st.sampled_from([True, False])), None
    if starts:
        starts, ends = draw(times), draw(times)
    else:
        starts = None
    days = draw(st.lists(st.sampled_from(list(DayOfWeek)), unique=True, min_size=1))
    return Hours(draw(some_price), tuple(days), starts, ends)


plain_tariffs = st.builds(
    PlainTariff,
    name=st.sampled_from(["", "Night and day"]),
    currency=st.sampled_from(["EUR", "JPY", "KWD"]),
    prices=some_price,
    start_fee=prices,
    vat_percent=st.none() | st.decimals(0, 30, places=1),
    energy_step_wh=st.just(1),
    time_step_s=st.just(1),
    idle_grace_s=st.none() | st.integers(0, 3600),
    idle_cap=prices,
    least=st.none() | st.decimals(0, 5, places=2),
    most=st.none() | st.decimals(6, 90, places=2),
    country=st.sampled_from([None, "DE"]),
    type=st.sampled_from([None, TariffType.REGULAR]),
    note=st.sampled_from(["", "As agreed."]),
    hours=st.lists(hours_of(), max_size=3).map(tuple),
)


@given(plain_tariffs)
@settings(max_examples=60, deadline=None)
def test_what_is_filled_in_comes_back_after_being_stored(plain: PlainTariff) -> None:
    stored = dumps(tariff_to_json(to_tariff(plain)))
    assert from_tariff(parse_tariff(loads(stored))) == plain


def test_hours_with_their_own_price_come_first() -> None:
    plain = PlainTariff(
        name="Night",
        currency="EUR",
        prices=Prices(energy=Decimal("0.50")),
        hours=(
            Hours(
                Prices(energy=Decimal("0.20")),
                (DayOfWeek.TUESDAY,),
                time(22),
                time(6),
            ),
        ),
    )
    tariff = to_tariff(plain)
    for hour, gross_minor in ((21, 500), (22, 200)):
        facts = quote_facts(
            starts_at=datetime(2026, 11, 24, hour, tzinfo=UTC),  # a Tuesday
            energy_wh=10_000,
            charging_s=1800,
            idle_s=0,
            time_zone="UTC",
        )
        assert rate(tariff, facts).gross_minor == gross_minor


_ENERGY = {"type": "ENERGY", "price": Decimal("0.4"), "vat": 20, "step_size": 1}


@pytest.mark.parametrize(
    "fields",
    [
        {"min_price": {"excl_vat": 1}},
        {
            "elements": [
                {"price_components": [_ENERGY], "restrictions": {"max_kwh": 10}},
                {"price_components": [_ENERGY]},
            ]
        },
        {
            "elements": [
                {"price_components": [_ENERGY, {"type": "TIME", "price": 1, "step_size": 60}]},
            ]
        },
        {"elements": [{"price_components": [_ENERGY]}, {"price_components": [_ENERGY]}]},
        {
            "elements": [
                {
                    "price_components": [_ENERGY, {"type": "FLAT", "price": 1, "vat": 20}],
                    "restrictions": {"day_of_week": ["MONDAY"]},
                }
            ]
        },
    ],
    ids=["net bound", "other restriction", "two rates of VAT", "two usual prices", "fee by day"],
)
def test_a_tariff_that_says_more_than_the_form_has_no_form(fields: dict[str, object]) -> None:
    tariff = {"currency": "EUR", "elements": [{"price_components": [_ENERGY]}], **fields}
    assert from_tariff(parse_tariff(tariff)) is None


def test_what_the_form_does_not_show_is_kept() -> None:
    tariff = parse_tariff(
        {
            "id": "T-1",
            "currency": "EUR",
            "country_code": "DE",
            "tariff_alt_text": [
                {"language": "de", "text": "Wie vereinbart"},
                {"language": "en", "text": "As agreed"},
            ],
            "start_date_time": "2026-01-01T00:00:00Z",
            "elements": [{"price_components": [_ENERGY]}],
        }
    )
    plain = from_tariff(tariff)
    assert plain is not None
    assert plain.note == "As agreed"
    assert to_tariff(plain, like=tariff) == tariff
