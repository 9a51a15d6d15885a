"""What holds for every session, whatever it costs."""

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.tariffs.facts import SessionFacts
from billing.tariffs.ocpi import parse_tariff, tariff_to_json
from billing.tariffs.price import price_to_json
from billing.tariffs.rate import rate
from billing.tariffs.tariff import Tariff
from billing.tariffs.timeline import knots, segments
from cms.base import json as exact_json
from tests.billing.tariffs.builders import START, charging, element, energy, flat, parking, tariff
from tests.billing.tariffs.generated import Case, amounts, cases

settings.register_profile("prices", deadline=None, suppress_health_check=[HealthCheck.too_slow])
modest = settings(settings.get_profile("prices"), max_examples=60)


@modest
@given(cases())
def test_the_lines_of_a_price_make_its_totals(case: Case) -> None:
    price = rate(parse_tariff(case.tariff), case.facts)
    assert price.net_minor + price.tax_minor == price.gross_minor
    assert sum(line.gross_minor for line in price.lines) == price.gross_minor
    assert all(line.net_minor + line.tax_minor == line.gross_minor for line in price.lines)


@modest
@given(cases())
def test_no_energy_and_no_time_is_lost_in_cutting(case: Case) -> None:
    cuts = [Fraction(case.facts.duration_s * 1_000_000 * part, 7) for part in range(8)]
    found = list(segments(case.facts, at_us=cuts, at_wh=[Fraction(1, 3), 10, 1000]))
    assert sum(part.end_wh - part.start_wh for part in found) == case.facts.energy_wh
    assert sum(part.end_us - part.start_us for part in found) == case.facts.duration_s * 1_000_000
    for before, after in zip(found, found[1:], strict=False):
        assert (before.end_us, before.end_wh) == (after.start_us, after.start_wh)


@modest
@given(cases())
def test_a_tariff_survives_json_digit_by_digit(case: Case) -> None:
    read = parse_tariff(case.tariff)
    text = exact_json.dumps(tariff_to_json(read))
    again = parse_tariff(exact_json.loads(text))
    assert again == read
    assert exact_json.dumps(tariff_to_json(again)) == text


@modest
@given(cases())
def test_a_price_is_json_with_exact_numbers(case: Case) -> None:
    price = rate(parse_tariff(case.tariff), case.facts)
    text = exact_json.dumps(price_to_json(price))
    shown = json.loads(text, parse_float=Decimal, parse_int=Decimal)
    for line, given_line in zip(shown["lines"], price.lines, strict=True):
        assert line["unit_price"] == given_line.unit_price
        assert line["quantity"] == given_line.quantity
        assert line["to"].endswith("Z")


@modest
@given(cases(), st.integers(0, 10**12))
def test_the_registers_level_does_not_matter(case: Case, level: int) -> None:
    facts = case.facts
    lifted = replace(
        facts,
        meter_start_wh=facts.meter_start_wh + level,
        meter_stop_wh=facts.meter_stop_wh + level,
        readings=tuple((at, wh + level) for at, wh in facts.readings),
    )
    constant = parse_tariff(case.tariff)
    assert rate(constant, lifted) == rate(constant, facts)


@st.composite
def constant_prices(draw: st.DrawFn, *kinds: Any) -> Tariff:
    """One element without restrictions: one price a dimension, the whole session long."""
    currency = draw(st.sampled_from(["EUR", "JPY", "KWD"]))
    steps = st.sampled_from([0, 1, 60, 500])
    return tariff(
        element(
            *(kind(str(draw(amounts(currency))), vat="19", step=draw(steps)) for kind in kinds)
        ),
        currency=currency,
        x_magetsi={"idle_grace_s": draw(st.integers(0, 3600))},
    )


@modest
@given(cases(), constant_prices(energy, flat), st.data())
def test_more_readings_never_change_what_energy_costs(
    case: Case, price: Tariff, data: st.DataObject
) -> None:
    """Any readings at all: rising, falling, outside the session."""
    at = st.timedeltas(timedelta(hours=-1), timedelta(days=2)).map(lambda after: START + after)
    more = data.draw(st.lists(st.tuples(at, st.integers(0, 2_000_000)), max_size=5))
    with_more = replace(case.facts, readings=(*case.facts.readings, *more))
    assert _amounts(price, with_more) == _amounts(price, case.facts)


@modest
@given(
    constant_prices(energy, charging, parking, flat),
    st.integers(1, 12 * 3600),
    st.integers(200, 350_000),
    st.data(),
)
def test_reading_a_steady_session_more_often_changes_nothing(
    price: Tariff, duration_s: int, power_w: int, data: st.DataObject
) -> None:
    """From 200 W on, with registers of whole Wh, at any moments."""
    energy_wh = power_w * duration_s // 3600
    steady = SessionFacts(START, START + timedelta(seconds=duration_s), 0, energy_wh, "UTC")
    moments = data.draw(st.lists(st.integers(0, duration_s), max_size=12))
    readings = tuple(
        (START + timedelta(seconds=second), energy_wh * second // duration_s) for second in moments
    )
    assert _amounts(price, replace(steady, readings=readings)) == _amounts(price, steady)


def _amounts(price: Tariff, facts: SessionFacts) -> list[Any]:
    return [
        (line.dimension, line.quantity, line.net_minor, line.tax_minor)
        for line in rate(price, facts).lines
    ]


@modest
@given(cases(), st.data())
def test_a_reading_on_the_line_between_two_others_changes_no_price(
    case: Case, data: st.DataObject
) -> None:
    """Under any restrictions: the same straight line, named at one more point."""
    points = knots(case.facts)
    place = data.draw(st.integers(0, len(points) - 2))
    (us, wh), (end_us, end_wh) = points[place], points[place + 1]
    ticks = (end_us - us) // (case.tick_s * 1_000_000)
    tick = data.draw(st.integers(0, ticks))

    # Registers run `ticks` times as fast, so that the new point lies on a whole Wh.
    start = case.facts.meter_start_wh
    faster = replace(
        case.facts,
        meter_stop_wh=start + case.facts.energy_wh * ticks,
        readings=tuple(
            (at, start + (reading - start) * ticks) for at, reading in case.facts.readings
        ),
    )
    at = faster.started_at + timedelta(microseconds=us, seconds=tick * case.tick_s)
    on_the_line = (at, start + wh * ticks + (end_wh - wh) * tick)
    read = parse_tariff(case.tariff)
    assert rate(read, replace(faster, readings=(*faster.readings, on_the_line))) == rate(
        read, faster
    )
