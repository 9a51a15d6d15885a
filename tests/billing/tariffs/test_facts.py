"""Facts that contradict each other have no price."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from billing.tariffs.exceptions import RatingRefused
from billing.tariffs.facts import quote_facts
from billing.tariffs.price import LineDimension, Price, PriceLine, Unit
from tests.billing.tariffs.builders import START, session


@pytest.mark.parametrize(
    "wrong",
    [
        {"meter_stop_wh": -1},
        {"ended_at": START - timedelta(microseconds=1)},
        {"started_at": START.replace(tzinfo=None)},
        {"readings": ((START.replace(tzinfo=None), 5),)},
        {"metered_until": START.replace(tzinfo=None)},
        {"reserved_at": START + timedelta(seconds=1)},
        {"time_zone": "Europe/Atlantis"},
        {"time_zone": ""},
        {"time_zone": "../etc"},
    ],
)
def test_contradictory_facts_are_refused(wrong: dict[str, object]) -> None:
    facts = session(60, 1000)
    with pytest.raises(RatingRefused) as refusal:
        replace(facts, **wrong)  # type: ignore[arg-type]
    assert (refusal.value.code, refusal.value.status) == ("rating_refused", 409)


def test_a_quote_of_negative_time_is_refused() -> None:
    with pytest.raises(RatingRefused):
        quote_facts(starts_at=START, energy_wh=1, charging_s=-1, idle_s=5, time_zone="UTC")


def line(net: int, tax: int, gross: int) -> PriceLine:
    one = Decimal(1)
    return PriceLine(LineDimension.FLAT, one, Unit.SESSION, one, one, net, tax, gross, START, START)


def test_a_line_whose_sum_is_wrong_cannot_exist() -> None:
    with pytest.raises(ValueError, match="gross"):
        line(100, 19, 118)


@pytest.mark.parametrize("totals", [(100, 19, 118), (99, 20, 119), (200, 38, 238)])
def test_a_price_whose_sums_are_wrong_cannot_exist(totals: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="gross|total"):
        Price("EUR", True, *totals, (line(100, 19, 119),))
