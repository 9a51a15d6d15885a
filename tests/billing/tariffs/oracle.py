"""A slow second opinion on prices, written from the rules and not from the code it judges.

It walks through a session in equal ticks and asks, of each tick, who used it and which element prices it, reading the
tariff as the JSON it is. Everything is a Fraction until a line is rounded. It knows three currencies, and it needs
starts, readings, statuses, durations and wall-clock bounds that lie on whole ticks; energy thresholds may lie anywhere.
"""

import math
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from billing.tariffs.facts import SessionFacts

MINOR = {"EUR": 100, "JPY": 1, "KWD": 1000}
DAYS = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"]

Line = tuple[str, int, int]  # dimension, net, tax
Use = tuple[int, str, Fraction]  # element, dimension, quantity in kWh, h or sessions


def nearest(value: Fraction) -> int:
    """Rounded, halves away from zero."""
    return math.floor(value + Fraction(1, 2)) if value >= 0 else math.ceil(value - Fraction(1, 2))


def oracle_lines(tariff: dict[str, Any], facts: SessionFacts, tick_s: int) -> list[Line]:
    uses = _stepped(tariff, _uses(tariff, facts, tick_s))
    uses = _capped(tariff, uses)
    totals: dict[tuple[int, str], Fraction] = {}
    for element, dimension, quantity in uses:
        key = (element, dimension)
        totals[key] = totals.get(key, Fraction(0)) + quantity
    minor = MINOR[tariff["currency"]]
    exact = []
    for (element, dimension), quantity in totals.items():
        part = _component(tariff, element, dimension)
        exact.append((dimension, quantity * Fraction(part["price"]) * minor, _vat(part)))
    found = [(name, nearest(net), nearest(net * vat)) for name, net, vat in exact]
    return found + _bounds(tariff, exact, found)


def _component(tariff: dict[str, Any], element: int, dimension: str) -> dict[str, Any]:
    parts: list[dict[str, Any]] = tariff["elements"][element]["price_components"]
    return next(part for part in parts if part["type"] == dimension)


def _vat(part: dict[str, Any]) -> Fraction:
    return Fraction(part.get("vat") or 0) / 100


def _uses(tariff: dict[str, Any], facts: SessionFacts, tick_s: int) -> list[Use]:
    """In order of time: what each slice of each tick used, where an element prices it."""
    tick = timedelta(seconds=tick_s)
    count = (facts.ended_at - facts.started_at) // tick
    points = _points(facts)
    flows = _flows(points, facts, tick, count)
    grace = tariff.get("x_magetsi", {}).get("idle_grace_s", 0)
    uses: list[Use] = []
    for number in range(count):
        at = facts.started_at + tick * number
        before, after = _around(points, at)
        use = _who(facts, at, flows[number])
        if use == "PARKING_TIME" and grace > 0:
            grace -= tick_s
            use = ""
        power = Fraction((after[1] - before[1]) * 3600) / _seconds(after[0] - before[0]) / 1000
        for low, high in _slices(tariff, _energy(points, at), _energy(points, at + tick)):
            share = _share(points, at, tick, low, high)
            state = (facts, at, low / 1000, power)
            _charge(tariff, uses, state, "FLAT", Fraction(1))
            _charge(tariff, uses, state, "ENERGY", (high - low) / 1000)
            if use:
                _charge(tariff, uses, state, use, Fraction(tick_s, 3600) * share)
    return uses


def _charge(
    tariff: dict[str, Any], uses: list[Use], state: Any, dimension: str, quantity: Fraction
) -> None:
    if not quantity or (dimension == "FLAT" and any(use[1] == "FLAT" for use in uses)):
        return
    for number, element in enumerate(tariff["elements"]):
        prices_it = any(part["type"] == dimension for part in element["price_components"])
        if prices_it and _matches(element.get("restrictions", {}), *state):
            uses.append((number, dimension, quantity))
            return


def _matches(
    limits: dict[str, Any], facts: SessionFacts, at: datetime, kwh: Fraction, power: Fraction
) -> bool:
    local = at.astimezone(ZoneInfo(facts.time_zone))
    clock = f"{local:%H:%M}"
    day = f"{local:%Y-%m-%d}"
    elapsed = _seconds(at - facts.started_at)
    start, end = limits.get("start_time"), limits.get("end_time")
    if end == "00:00":
        end = "24:00"
    if start and end and end <= start:
        in_window = clock >= start or clock < end
    else:
        in_window = (not start or clock >= start) and (not end or clock < end)
    return (
        in_window
        and day >= limits.get("start_date", "0000-00-00")
        and day < limits.get("end_date", "9999-99-99")
        and DAYS[local.weekday()] in limits.get("day_of_week", DAYS)
        and kwh >= Fraction(limits.get("min_kwh", 0))
        and ("max_kwh" not in limits or kwh < Fraction(limits["max_kwh"]))
        and power >= Fraction(limits.get("min_power", 0))
        and ("max_power" not in limits or power < Fraction(limits["max_power"]))
        and elapsed >= limits.get("min_duration", 0)
        and ("max_duration" not in limits or elapsed < limits["max_duration"])
    )


def _seconds(span: timedelta) -> int:
    return span // timedelta(seconds=1)


def _points(facts: SessionFacts) -> list[tuple[datetime, int]]:
    """(at, Wh since the start) of the readings that count, start and stop included."""
    found = {facts.started_at: 0}
    highest = 0
    for at, register in sorted(facts.readings):
        wh = register - facts.meter_start_wh
        inside = facts.started_at < at < facts.ended_at and wh <= facts.energy_wh
        if inside and wh >= highest:
            found[at] = highest = wh
    return [*found.items(), (facts.ended_at, facts.energy_wh)]


def _around(points: list[tuple[datetime, int]], at: datetime) -> tuple[Any, Any]:
    """The readings at or before, and after, the tick that begins at `at`."""
    before = [point for point in points if point[0] <= at][-1]
    after = next(point for point in points if point[0] > at)
    return before, after


def _energy(points: list[tuple[datetime, int]], at: datetime) -> Fraction:
    if at >= points[-1][0]:
        return Fraction(points[-1][1])
    before, after = _around(points, at)
    share = Fraction(_seconds(at - before[0]), _seconds(after[0] - before[0]))
    return before[1] + (after[1] - before[1]) * share


def _flows(
    points: list[tuple[datetime, int]], facts: SessionFacts, tick: timedelta, count: int
) -> list[bool]:
    """Of each tick, whether energy flows: not under 100 W, or for less than 36 s in which one Wh would show."""
    weak = []
    for number in range(count):
        before, after = _around(points, facts.started_at + tick * number)
        weak.append((after[1] - before[1]) * 3600 < 100 * _seconds(after[0] - before[0]))
    if facts.energy_wh == 0:
        return [False] * count
    flows = [True] * count
    number = 0
    while number < count:
        beyond = number
        while beyond < count and weak[beyond]:
            beyond += 1
        if (beyond - number) * tick >= timedelta(seconds=36):
            flows[number:beyond] = [False] * (beyond - number)
        number = max(beyond, number + 1)
    return flows


def _who(facts: SessionFacts, at: datetime, flowing: bool) -> str:
    status = ""
    for since, reported in sorted(facts.statuses, key=lambda event: event[0]):
        if since <= at:
            status = reported
    if status == "SuspendedEVSE":
        return ""
    if status in ("SuspendedEV", "Finishing"):
        return "PARKING_TIME"
    if flowing:
        return "TIME"
    return "" if status in ("Faulted", "Unavailable") else "PARKING_TIME"


def _slices(
    tariff: dict[str, Any], low: Fraction, high: Fraction
) -> list[tuple[Fraction, Fraction]]:
    marks = {low, high}
    for element in tariff["elements"]:
        for name in ("min_kwh", "max_kwh"):
            limit = element.get("restrictions", {}).get(name)
            if limit is not None and low < Fraction(limit) * 1000 < high:
                marks.add(Fraction(limit) * 1000)
    ordered = sorted(marks)
    return list(zip(ordered, ordered[1:], strict=False)) or [(low, low)]


def _share(
    points: list[tuple[datetime, int]], at: datetime, tick: timedelta, low: Fraction, high: Fraction
) -> Fraction:
    """The part of the tick in which the register goes from `low` to `high`."""
    rise = _energy(points, at + tick) - _energy(points, at)
    return (high - low) / rise if rise else Fraction(1)


def _stepped(tariff: dict[str, Any], uses: list[Use]) -> list[Use]:
    """With what step_size adds, at the price of the last use of each rounded dimension."""
    parked = any(dimension == "PARKING_TIME" for _, dimension, _ in uses)
    added = []
    for rounded, unit in (("ENERGY", 1000), ("PARKING_TIME" if parked else "TIME", 3600)):
        of_it = [use for use in uses if use[1] == rounded]
        if not of_it:
            continue
        step = _component(tariff, of_it[-1][0], rounded)["step_size"]
        total = sum(quantity for _, _, quantity in of_it) * unit
        if step:
            billed = math.ceil(total / step) * step
            added.append((of_it[-1][0], rounded, (billed - total) / unit))
    return uses + added


def _capped(tariff: dict[str, Any], uses: list[Use]) -> list[Use]:
    cap = tariff.get("x_magetsi", {}).get("idle_cap")
    if cap is None:
        return [use for use in uses if use[2]]
    spent = Fraction(0)
    kept = []
    for element, dimension, quantity in uses:
        price = Fraction(_component(tariff, element, dimension)["price"])
        if dimension == "PARKING_TIME" and price:
            quantity = min(quantity, (Fraction(cap) - spent) / price)
            spent += quantity * price
        if quantity:
            kept.append((element, dimension, quantity))
    return kept


def _bounds(
    tariff: dict[str, Any], exact: list[tuple[str, Fraction, Fraction]], found: list[Line]
) -> list[Line]:
    net_sum = sum(net for _, net, _ in exact)
    if net_sum:
        vat = sum(net * rate for _, net, rate in exact) / net_sum
    else:
        rates = [rate for _, _, rate in exact] or [
            _vat(part) for element in tariff["elements"] for part in element["price_components"]
        ]
        vat = Fraction(sum(rates), len(rates))
    minor = MINOR[tariff["currency"]]
    net = sum(line[1] for line in found)
    tax = sum(line[2] for line in found)
    added = []
    for name, worse in (("min_price", lambda a, b: a < b), ("max_price", lambda a, b: a > b)):
        bound = {
            key: nearest(Fraction(value) * minor) for key, value in tariff.get(name, {}).items()
        }
        extra_net = extra_tax = 0
        if "excl_vat" in bound and worse(net, bound["excl_vat"]):
            extra_net = bound["excl_vat"] - net
            extra_tax = nearest(extra_net * vat)
        if "incl_vat" in bound and worse(net + tax + extra_net + extra_tax, bound["incl_vat"]):
            difference = bound["incl_vat"] - net - tax
            extra_net = nearest(difference / (1 + vat))
            extra_tax = difference - extra_net
        if extra_net or extra_tax:
            added.append(("FLAT", extra_net, extra_tax))
            net, tax = net + extra_net, tax + extra_tax
    return added
