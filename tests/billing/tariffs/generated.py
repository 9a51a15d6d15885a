"""Hypothesis strategies for tariffs and sessions that lie on a grid of ticks, as the oracle needs them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from billing.tariffs.facts import SessionFacts

# Ordinary days, and nights in which clocks are moved (Berlin, New York, Lord Howe by half an hour).
MOMENTS = (
    ("Europe/Berlin", datetime(2026, 3, 29, 1, 0, tzinfo=UTC)),
    ("Europe/Berlin", datetime(2026, 10, 25, 1, 0, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 11, 1, 6, 0, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 4, 4, 15, 0, tzinfo=UTC)),
    ("Africa/Blantyre", datetime(2026, 2, 28, 22, 0, tzinfo=UTC)),
    ("Asia/Tokyo", datetime(2026, 12, 31, 15, 0, tzinfo=UTC)),
    ("Asia/Kathmandu", datetime(2026, 6, 5, 18, 15, tzinfo=UTC)),
)
# Tick and the most Wh a register may gain from one reading to the next.
GRIDS = ((1, 30), (60, 5000), (900, 30_000))
MOST_TICKS = {1: 120, 60: 90, 900: 70}
STATUSES = (
    "Preparing",
    "Charging",
    "SuspendedEV",
    "SuspendedEVSE",
    "Finishing",
    "Faulted",
    "Unavailable",
)
DECIMALS = {"EUR": 4, "JPY": 2, "KWD": 5}
HIGHEST = {"EUR": 3, "JPY": 300, "KWD": 1}


@dataclass(frozen=True)
class Case:
    tariff: dict[str, Any]
    facts: SessionFacts
    tick_s: int


def amounts(currency: str, times: int = 1) -> st.SearchStrategy[Decimal]:
    digits = DECIMALS[currency]
    highest = HIGHEST[currency] * times * 10**digits
    return st.integers(0, highest).map(lambda number: Decimal(number).scaleb(-digits))


vats = st.sampled_from([None, None, Decimal(0), Decimal(19), Decimal("7.7"), Decimal("5.5")])
step_sizes = st.sampled_from([0, 1, 1, 7, 60, 300, 900, 1000])


@st.composite
def cases(draw: st.DrawFn) -> Case:
    tick_s, most_wh = draw(st.sampled_from(GRIDS))
    facts = draw(sessions(tick_s, most_wh))
    return Case(draw(tariffs(facts, tick_s)), facts, tick_s)


@st.composite
def sessions(draw: st.DrawFn, tick_s: int, most_wh: int) -> SessionFacts:
    zone, moment = draw(st.sampled_from(MOMENTS))
    count = draw(st.integers(1, MOST_TICKS[tick_s]))
    started_at = moment - timedelta(seconds=tick_s) * draw(st.integers(0, count))
    ticks = st.integers(-2, count + 2)
    register = 1_000_000
    readings = []
    for tick in sorted(draw(st.sets(ticks, max_size=6))):
        readings.append((tick, register + draw(st.integers(0, most_wh))))
        # Now and then a register stands still or runs backwards.
        register += draw(st.integers(0, 3)) * (readings[-1][1] - register) // 3
    stop = register + draw(st.just(0) | st.integers(0, most_wh))
    statuses = draw(st.lists(st.tuples(ticks, st.sampled_from(STATUSES)), max_size=4))

    def at(tick: int) -> datetime:
        return started_at + timedelta(seconds=tick_s) * tick

    return SessionFacts(
        started_at=started_at,
        ended_at=at(count),
        meter_start_wh=1_000_000,
        meter_stop_wh=stop,
        time_zone=zone,
        readings=tuple((at(tick), wh) for tick, wh in readings),
        statuses=tuple((at(tick), status) for tick, status in statuses),
    )


@st.composite
def tariffs(draw: st.DrawFn, facts: SessionFacts, tick_s: int) -> dict[str, Any]:
    currency = draw(st.sampled_from(sorted(DECIMALS)))
    tariff: dict[str, Any] = {
        "currency": currency,
        "elements": [
            draw(elements(currency, facts, tick_s)) for _ in range(draw(st.integers(1, 4)))
        ],
        "x_magetsi": {"idle_grace_s": draw(st.integers(0, 8)) * tick_s},
    }
    if draw(st.integers(0, 4)) == 0:
        tariff["x_magetsi"]["idle_cap"] = draw(amounts(currency))
    if draw(st.integers(0, 2)) == 0:
        kinds = draw(st.sampled_from([["excl_vat"], ["incl_vat"], ["excl_vat", "incl_vat"]]))
        name = draw(st.sampled_from(["min_price", "max_price"]))
        tariff[name] = {kind: draw(amounts(currency, 10)) for kind in kinds}
    return tariff


@st.composite
def elements(draw: st.DrawFn, currency: str, facts: SessionFacts, tick_s: int) -> dict[str, Any]:
    kinds = draw(
        st.sets(st.sampled_from(["ENERGY", "TIME", "PARKING_TIME", "FLAT"]), min_size=1, max_size=4)
    )
    components = []
    for kind in sorted(kinds):
        part: dict[str, Any] = {
            "type": kind,
            "price": draw(amounts(currency)),
            "step_size": draw(step_sizes),
        }
        if (vat := draw(vats)) is not None:
            part["vat"] = vat
        components.append(part)
    limits: dict[str, Any] = {}
    for limit in draw(st.sets(st.sampled_from(LIMITS), max_size=2)):
        limits |= draw(limit(facts, tick_s))
    element: dict[str, Any] = {"price_components": components}
    return {**element, "restrictions": limits} if limits else element


def _local(facts: SessionFacts, seconds: int) -> datetime:
    at = facts.started_at + timedelta(seconds=seconds)
    return at.astimezone(ZoneInfo(facts.time_zone))


def _on_grid(facts: SessionFacts, tick_s: int) -> st.SearchStrategy[int]:
    """Seconds since the start, from a little before to a little after the session."""
    count = facts.duration_s // tick_s
    return st.integers(-2, count + 2).map(lambda tick: tick * tick_s)


@st.composite
def _clock(draw: st.DrawFn, facts: SessionFacts, tick_s: int) -> dict[str, Any]:
    def wall() -> str:
        local = _local(facts, draw(_on_grid(facts, tick_s)))
        minutes = local.minute - local.minute % 15 if tick_s == 900 else local.minute
        return f"{local.hour:02}:{minutes:02}"

    names = draw(st.sampled_from([["start_time"], ["end_time"], ["start_time", "end_time"]]))
    return {name: wall() for name in names}


@st.composite
def _calendar(draw: st.DrawFn, facts: SessionFacts, tick_s: int) -> dict[str, Any]:
    day = _local(facts, draw(_on_grid(facts, tick_s))).date()
    week = sorted({f"{day + timedelta(days=n):%A}".upper() for n in range(draw(st.integers(1, 3)))})
    return draw(
        st.sampled_from(
            [
                {"start_date": day.isoformat()},
                {"end_date": day.isoformat()},
                {
                    "start_date": day.isoformat(),
                    "end_date": (day + timedelta(days=1)).isoformat(),
                },
                {"day_of_week": week},
            ]
        )
    )


def _range(name: str, low: Any, high: Any, which: int) -> dict[str, Any]:
    if which == 0 or low >= high:
        return {f"min_{name}": low}
    return {f"max_{name}": high} if which == 1 else {f"min_{name}": low, f"max_{name}": high}


@st.composite
def _kwh(draw: st.DrawFn, facts: SessionFacts, tick_s: int) -> dict[str, Any]:
    highest = max(facts.energy_wh, 10)
    low, high = sorted(draw(st.tuples(st.integers(0, highest), st.integers(0, highest))))
    kwh = Decimal(low).scaleb(-3), Decimal(high).scaleb(-3)
    return _range("kwh", *kwh, draw(st.integers(0, 2)))


@st.composite
def _power(draw: st.DrawFn, facts: SessionFacts, tick_s: int) -> dict[str, Any]:
    low, high = sorted(draw(st.tuples(st.integers(0, 600), st.integers(0, 600))))
    return _range("power", Decimal(low) / 10, Decimal(high) / 10, draw(st.integers(0, 2)))


@st.composite
def _duration(draw: st.DrawFn, facts: SessionFacts, tick_s: int) -> dict[str, Any]:
    low, high = sorted(max(0, draw(_on_grid(facts, tick_s))) for _ in range(2))
    return _range("duration", low, high, draw(st.integers(0, 2)))


LIMITS = (_clock, _calendar, _kwh, _power, _duration)
