"""The one price of a session: `rate(tariff, facts)`. Values in, a value out; no database, no clock, no rounding on the way.

The session is cut where something a price depends on may change (`timeline`). Of each dimension the first element in
order that matches a stretch and has a component of that dimension prices it (OCPI 2.2.1 §11.3.1). FLAT is charged
once, at the first moment of the session at which an element with FLAT is active. An element with a `reservation`
restriction never prices the session itself: RESERVATION prices the time from `reserved_at` to the start, in lines of
dimension RESERVATION; RESERVATION_EXPIRES belongs to reservations that no session used.

`step_size` rounds the total of a dimension up, once a session, not each stretch (OCPI 2.2.1 §10.3.1, "step_size"):

- ENERGY is rounded once; TIME and PARKING_TIME once together, which is PARKING_TIME wherever any was billed.
- The total is that of all billed stretches of the dimension, the step that of the component which priced the last of
  them; what is added is billed at that component's price.
- Grace is taken off before; nothing stays nothing.

`idle_cap` ends the billing of parked time at the moment its exact net reaches the cap.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple
from zoneinfo import ZoneInfo

from billing.tariffs.bounds import Amount, adjustments
from billing.tariffs.facts import SessionFacts, quote_facts
from billing.tariffs.price import LineDimension, Price, PriceLine, Unit, price_to_json
from billing.tariffs.restrictions import Moment, Rule, clock_cuts
from billing.tariffs.tariff import Dimension, PriceComponent, ReservationRestriction, Tariff
from billing.tariffs.timeline import (
    HOUR_US,
    SECOND_US,
    Activity,
    Exact,
    Segment,
    after_grace,
    charging_s,
    idle_s,
    segments,
    since,
    steps,
)
from cms.base.money import minor_digits, round_half_up, to_major

__all__ = [
    "Price",
    "PriceLine",
    "SessionFacts",
    "charging_s",
    "idle_s",
    "price_to_json",
    "quote_facts",
    "rate",
]

QUANTITY_DECIMALS = 9
VAT_DECIMALS = 4

_UNITS = {
    Dimension.FLAT: Unit.SESSION,
    Dimension.ENERGY: Unit.KWH,
    Dimension.TIME: Unit.HOUR,
    Dimension.PARKING_TIME: Unit.HOUR,
}
_BILL_ORDER = tuple(Dimension)
# How many of what we count (times, Wh, µs) make one of what is priced.
_COUNTED = {
    Dimension.FLAT: 1,
    Dimension.ENERGY: 1000,
    Dimension.TIME: HOUR_US,
    Dimension.PARKING_TIME: HOUR_US,
}
# How many of what we count make a `step_size` of 1.
_STEP = {Dimension.ENERGY: 1, Dimension.TIME: SECOND_US, Dimension.PARKING_TIME: SECOND_US}


class Source(NamedTuple):
    """A component of the tariff that prices something; one line of the price each."""

    element: int
    component: PriceComponent
    reserved: bool
    rule: Rule


class Piece(NamedTuple):
    """A counted quantity (times, Wh, µs) of one source, from one moment to another in µs since the start."""

    source: Source
    quantity: Exact
    start_us: Exact
    end_us: Exact


def rate(tariff: Tariff, facts: SessionFacts, *, final: bool = True) -> Price:
    """Price a session; with `final=False` what it would cost if it ended at `facts.ended_at`.

    Never raises for facts that exist: contradictory ones are refused by `SessionFacts`.
    A few milliseconds for 500 readings.
    """
    sources = _sources(tariff)
    pieces = [*_reservation_pieces(sources, facts), *_session_pieces(tariff, sources, facts)]
    pieces = _with_idle_cap(tariff, _with_steps(pieces))
    amounts, lines = _lines(tariff, facts, pieces)
    lines += [
        _bound_line(amount, tariff.currency, facts) for amount in adjustments(tariff, amounts)
    ]
    return Price.of_lines(tuple(lines), currency=tariff.currency, final=final)


def _sources(tariff: Tariff) -> list[Source]:
    """All components in order of precedence, without those for reservations that expired."""
    found = []
    for index, element in enumerate(tariff.elements):
        reservation = element.restrictions.reservation if element.restrictions else None
        if reservation is ReservationRestriction.RESERVATION_EXPIRES:
            continue
        rule = Rule(element.restrictions)
        found += [
            Source(index, component, reservation is not None, rule)
            for component in element.price_components
        ]
    return found


class _Pricing:
    """The sources of one part of the session, by dimension, and the moments at which they may change."""

    def __init__(self, sources: Sequence[Source], facts: SessionFacts) -> None:
        self._facts = facts
        self._zone = ZoneInfo(facts.time_zone)
        self._by_dimension: dict[Dimension, list[Source]] = {kind: [] for kind in Dimension}
        for source in sources:
            self._by_dimension[source.component.type].append(source)
        self.rules = [source.rule for source in sources]
        self._uses_clock = any(rule.uses_clock for rule in self.rules)
        self._currents = steps(
            facts.started_at, ((at, Fraction(current)) for at, current in facts.currents)
        )

    def cuts(self, start: datetime, end: datetime) -> set[Exact]:
        """Moments between `start` and `end` by the clock, and by duration since `start`; in µs since the start."""
        origin = self._facts.started_at
        offset = since(origin, start)
        cuts: set[Exact] = {offset + us for rule in self.rules for us in rule.at_us}
        cuts.update(self._currents.times)
        if self._uses_clock:
            times = {at for rule in self.rules for at in rule.clock_times}
            cuts.update(clock_cuts(times, start=start, end=end, zone=self._zone, origin=origin))
        return cuts

    def moment(self, segment: Segment, begun_us: int = 0) -> Moment:
        """The start of `segment`, of something that began at `begun_us`."""
        local = None
        if self._uses_clock:
            at = self._facts.started_at + timedelta(microseconds=int(segment.start_us // 1))
            local = at.astimezone(self._zone)
        return Moment(
            local,
            segment.start_us - begun_us,
            segment.start_wh,
            segment.rise_wh,
            segment.span_us,
            self._currents.at(segment.start_us),
        )

    def active(self, dimension: Dimension, moment: Moment) -> Source | None:
        for source in self._by_dimension[dimension]:
            if source.rule.holds(moment):
                return source
        return None


def _session_pieces(tariff: Tariff, sources: list[Source], facts: SessionFacts) -> Iterator[Piece]:
    pricing = _Pricing([source for source in sources if not source.reserved], facts)
    stretches = segments(
        facts,
        at_us=pricing.cuts(facts.started_at, facts.ended_at),
        at_wh=(wh for rule in pricing.rules for wh in rule.at_wh),
        by_reading=any(rule.restricts for rule in pricing.rules),
    )
    flat_is_due = True
    for segment in after_grace(stretches, tariff.idle_grace_s * SECOND_US):
        moment = pricing.moment(segment)
        start_us, end_us = segment.start_us, segment.end_us
        if flat_is_due and (source := pricing.active(Dimension.FLAT, moment)):
            flat_is_due = False
            yield Piece(source, 1, start_us, start_us)
        for dimension, quantity in _used(segment):
            if quantity and (source := pricing.active(dimension, moment)):
                yield Piece(source, quantity, start_us, end_us)


def _used(segment: Segment) -> Iterator[tuple[Dimension, Exact]]:
    yield Dimension.ENERGY, segment.end_wh - segment.start_wh
    if segment.activity is Activity.CHARGING:
        yield Dimension.TIME, segment.end_us - segment.start_us
    elif segment.activity is Activity.PARKED:
        yield Dimension.PARKING_TIME, segment.end_us - segment.start_us


def _reservation_pieces(sources: list[Source], facts: SessionFacts) -> Iterator[Piece]:
    if facts.reserved_at is None:
        return
    pricing = _Pricing([source for source in sources if source.reserved], facts)
    begun_us = since(facts.started_at, facts.reserved_at)
    inner = pricing.cuts(facts.reserved_at, facts.started_at)
    cuts = [begun_us, *sorted(us for us in inner if begun_us < us < 0), 0]
    flat_is_due = True
    for start_us, end_us in zip(cuts, cuts[1:], strict=False):
        stretch = Segment(start_us, end_us, 0, 0, Activity.HELD, 0, 1)
        moment = pricing.moment(stretch, begun_us)
        if flat_is_due and (source := pricing.active(Dimension.FLAT, moment)):
            flat_is_due = False
            yield Piece(source, 1, start_us, start_us)
        if start_us < end_us and (source := pricing.active(Dimension.TIME, moment)):
            yield Piece(source, end_us - start_us, start_us, end_us)


def _with_steps(pieces: list[Piece]) -> list[Piece]:
    """Add what `step_size` rounds up, as a piece of no length at the end of each rounded dimension."""
    in_session = [piece for piece in pieces if not piece.source.reserved]
    parked = _of(in_session, Dimension.PARKING_TIME)
    rounded = (
        _of([piece for piece in pieces if piece.source.reserved], Dimension.TIME),
        _of(in_session, Dimension.ENERGY),
        parked or _of(in_session, Dimension.TIME),
    )
    return pieces + [excess for group in rounded if group for excess in _excess(group)]


def _of(pieces: list[Piece], dimension: Dimension) -> list[Piece]:
    return [piece for piece in pieces if piece.source.component.type is dimension]


def _excess(group: list[Piece]) -> Iterator[Piece]:
    last = group[-1]
    step = last.source.component.step_size * _STEP[last.source.component.type]
    if step:
        missing = -sum(piece.quantity for piece in group) % step
        if missing:
            yield Piece(last.source, missing, last.end_us, last.end_us)


def _with_idle_cap(tariff: Tariff, pieces: list[Piece]) -> list[Piece]:
    """Shorten or drop the parked pieces that would cost more than the cap; they are in order of time."""
    if tariff.idle_cap is None:
        return pieces
    left = Fraction(tariff.idle_cap)
    kept = []
    for piece in pieces:
        if piece.source.component.type is Dimension.PARKING_TIME:
            cost = _net(piece.source.component, piece.quantity)
            if cost > left:
                piece = _shortened(piece, left / cost)
            left -= min(cost, left)
        if piece.quantity:
            kept.append(piece)
    return kept


def _shortened(piece: Piece, share: Fraction) -> Piece:
    length = piece.end_us - piece.start_us
    return piece._replace(quantity=piece.quantity * share, end_us=piece.start_us + length * share)


def _net(component: PriceComponent, quantity: Exact) -> Fraction:
    """Exact net in major units."""
    return Fraction(component.price) * quantity / _COUNTED[component.type]


def _lines(
    tariff: Tariff, facts: SessionFacts, pieces: list[Piece]
) -> tuple[list[Amount], list[PriceLine]]:
    """One line a source, by dimension, then in order of first use; with its money for the bounds."""
    grouped: dict[tuple[int, Dimension], list[Piece]] = {}
    for piece in sorted(pieces, key=_place_on_bill):
        key = (piece.source.element, piece.source.component.type)
        grouped.setdefault(key, []).append(piece)
    amounts, lines = [], []
    for group in grouped.values():
        source = group[0].source
        quantity = sum(piece.quantity for piece in group)
        amount = _amount(source.component, quantity, tariff.currency)
        amounts.append(amount)
        lines.append(_line(source, Fraction(quantity), amount, facts, group))
    return amounts, lines


def _place_on_bill(piece: Piece) -> tuple[bool, int]:
    return not piece.source.reserved, _BILL_ORDER.index(piece.source.component.type)


def _amount(component: PriceComponent, quantity: Exact, currency: str) -> Amount:
    exact_net = _net(component, quantity) * 10 ** minor_digits(currency)
    vat = Fraction(component.vat or 0) / 100
    return Amount(exact_net, vat, round_half_up(exact_net), round_half_up(exact_net * vat))


def _line(
    source: Source, quantity: Fraction, amount: Amount, facts: SessionFacts, group: list[Piece]
) -> PriceLine:
    component = source.component
    dimension = LineDimension.RESERVATION if source.reserved else LineDimension(component.type)
    return PriceLine(
        dimension=dimension,
        quantity=_shown(quantity / _COUNTED[component.type], QUANTITY_DECIMALS),
        unit=_UNITS[component.type],
        unit_price=component.price,
        vat_percent=Decimal(0) if component.vat is None else component.vat,
        net_minor=amount.net_minor,
        tax_minor=amount.tax_minor,
        gross_minor=amount.net_minor + amount.tax_minor,
        starts_at=_instant(facts, min(piece.start_us for piece in group)),
        ends_at=_instant(facts, max(piece.end_us for piece in group)),
    )


def _bound_line(amount: Amount, currency: str, facts: SessionFacts) -> PriceLine:
    return PriceLine(
        dimension=LineDimension.FLAT,
        quantity=Decimal(1),
        unit=Unit.SESSION,
        unit_price=to_major(amount.net_minor, currency),
        vat_percent=_shown(amount.vat * 100, VAT_DECIMALS),
        net_minor=amount.net_minor,
        tax_minor=amount.tax_minor,
        gross_minor=amount.net_minor + amount.tax_minor,
        starts_at=facts.started_at,
        ends_at=facts.ended_at,
    )


def _instant(facts: SessionFacts, us: Exact) -> datetime:
    return facts.started_at + timedelta(microseconds=int(us // 1))


def _shown(value: Fraction, decimals: int) -> Decimal:
    """Rounded to `decimals` places, without zeros at the end."""
    digits = round_half_up(value * 10**decimals)
    while decimals and digits % 10 == 0:
        digits //= 10
        decimals -= 1
    return Decimal((int(digits < 0), tuple(map(int, str(abs(digits)))), -decimals))
