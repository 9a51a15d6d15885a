"""A tariff in the words of the person who pays: gross, by the unit, in the order that the law wants.

Per kWh comes first, then what time costs, then what a session costs at all (Regulation (EU) 2023/1804, article
5; 23 CFR 680.106). An example follows, made by the same function as the bill.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from babel.dates import format_date, get_day_names
from babel.lists import format_list
from django.utils.translation import gettext as _

from billing.models import TariffVersion
from billing.receipts import formats
from billing.sessions.quotes import Quote, quote_session
from billing.tariffs.ocpi import parse_tariff
from billing.tariffs.tariff import (
    DayOfWeek,
    Dimension,
    PriceBound,
    PriceComponent,
    Restrictions,
    Tariff,
)
from stations.models import ChargingStation

EXAMPLE_WH = 20_000
_EXAMPLE_POWER_W = 30_000  # where nobody knows the connector's
_CAR_POWER_W = 60_000
_ORDER = (Dimension.ENERGY, Dimension.TIME, Dimension.PARKING_TIME, Dimension.FLAT)


@dataclass(frozen=True, slots=True)
class PriceWords:
    """One price: `€0.58` `per kWh`, with what it depends on; gross."""

    what: str
    amount: str
    unit: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PriceCard:
    """What charging costs here: prices in order, bounds, what the operator says, and an example."""

    words: tuple[PriceWords, ...]
    bounds: tuple[str, ...]
    vat: str
    tariff: str
    example: str


def price_card(
    *,
    station: ChargingStation,
    evse_id: int,
    max_power_w: int | None,
    id_token_id: int | None,
    now: datetime,
) -> PriceCard:
    """The price of a session that starts there now.

    Raises:
        NoTariff: nothing applies, so nobody may start.
    """
    charging_s = example_s(max_power_w)
    quote = quote_session(
        station=station,
        evse_id=evse_id,
        id_token_id=id_token_id,
        starts_at=now,
        energy_wh=EXAMPLE_WH,
        charging_s=charging_s,
        idle_s=0,
        now=now,
    )
    tariff = parse_tariff(quote.version.content)
    return PriceCard(
        words=tuple(price_words(tariff)),
        bounds=tuple(_bounds(tariff)),
        vat=_vat(tariff),
        tariff=_name(quote.version),
        example=_example(quote, charging_s),
    )


def example_s(max_power_w: int | None) -> int:
    """How long the example takes at this connector, in seconds: whole steps of five minutes.

    Hardly a car takes more than 60 kW for all of it, whatever the connector could give.
    """
    power_w = min(max_power_w or _EXAMPLE_POWER_W, _CAR_POWER_W)
    exact = timedelta(hours=EXAMPLE_WH / power_w)
    step = timedelta(minutes=5)
    return int((-(-exact // step) * step).total_seconds())


def price_words(tariff: Tariff) -> list[PriceWords]:
    """Each price with its conditions, by dimension; of one dimension the first that holds counts."""
    found = [
        (component, element.restrictions)
        for element in tariff.elements
        if element.restrictions is None or element.restrictions.reservation is None
        for component in element.price_components
    ]
    return [
        _words(tariff, component, restrictions)
        for dimension in _ORDER
        for component, restrictions in found
        if component.type is dimension
    ]


def energy_price_from(tariffs: Iterable[Tariff]) -> str | None:
    """The lowest price of a kWh, gross, as a list of sites shows it; None where energy costs nothing by itself."""
    prices = [
        (_gross(component.price, component), tariff.currency)
        for tariff in tariffs
        for element in tariff.elements
        if element.restrictions is None or element.restrictions.reservation is None
        for component in element.price_components
        if component.type is Dimension.ENERGY
    ]
    if not prices:
        return None
    amount, currency = min(prices)
    text = _("%(price)s per kWh") % {"price": formats.unit_price(amount, currency)}
    return text if len(set(prices)) == 1 else _("from %(price)s") % {"price": text}


def _words(
    tariff: Tariff, component: PriceComponent, restrictions: Restrictions | None
) -> PriceWords:
    amount, unit = _amount(component, tariff.currency)
    notes = [*_conditions(restrictions), *_steps(component)]
    if component.type is Dimension.PARKING_TIME:
        notes += _parking(tariff, component)
    return PriceWords(
        what={
            Dimension.ENERGY: _("Energy"),
            Dimension.TIME: _("Time while charging"),
            Dimension.PARKING_TIME: _("Plugged in without charging"),
            Dimension.FLAT: _("Each session"),
        }[component.type],
        amount=amount,
        unit=unit,
        notes=tuple(notes),
    )


def _amount(component: PriceComponent, currency: str) -> tuple[str, str]:
    gross = _gross(component.price, component)
    if component.type is Dimension.ENERGY:
        return formats.unit_price(gross, currency), _("per kWh")
    if component.type is Dimension.FLAT:
        return formats.unit_price(gross, currency), _("once")
    per_minute = gross / 60
    if per_minute == round(per_minute, 4):
        return formats.unit_price(per_minute, currency), _("per minute")
    return formats.unit_price(gross, currency), _("per hour")


def _gross(price: Decimal, component: PriceComponent) -> Decimal:
    return price * (100 + (component.vat or 0)) / 100


def _steps(component: PriceComponent) -> Iterator[str]:
    """Nobody need be told of a second or a Wh."""
    step = component.step_size
    if step <= 1 or component.type is Dimension.FLAT:
        return
    if component.type is Dimension.ENERGY:
        yield _("counted in steps of %(step)s") % {
            "step": f"{formats.number(Decimal(step) / 1000)} kWh"
        }
    else:
        yield _("counted in steps of %(step)s") % {"step": formats.duration(step)}


def _parking(tariff: Tariff, component: PriceComponent) -> Iterator[str]:
    if tariff.idle_grace_s:
        yield _("the first %(time)s are free") % {"time": formats.duration(tariff.idle_grace_s)}
    if tariff.idle_cap is not None:
        cap = formats.unit_price(_gross(tariff.idle_cap, component), tariff.currency)
        yield _("never more than %(cap)s a session") % {"cap": cap}


def _conditions(restrictions: Restrictions | None) -> Iterator[str]:
    if restrictions is None:
        return
    if restrictions.day_of_week:
        yield _days(restrictions.day_of_week)
    if restrictions.start_time or restrictions.end_time:
        start = restrictions.start_time.strftime("%H:%M") if restrictions.start_time else "00:00"
        end = restrictions.end_time.strftime("%H:%M") if restrictions.end_time else "24:00"
        yield _("from %(start)s to %(end)s") % {"start": start, "end": end}
    if restrictions.start_date:
        day = format_date(restrictions.start_date, "medium", locale=formats.locale())
        yield _("from %(day)s on") % {"day": day}
    if restrictions.end_date:
        day = format_date(restrictions.end_date, "medium", locale=formats.locale())
        yield _("before %(day)s") % {"day": day}
    yield from _ranges(restrictions)


def _ranges(restrictions: Restrictions) -> Iterator[str]:
    def quantity(value: Decimal, unit: str) -> str:
        return f"{formats.number(value)} {unit}"

    for lower, upper, unit in (
        (restrictions.min_kwh, restrictions.max_kwh, "kWh"),
        (restrictions.min_power, restrictions.max_power, "kW"),
        (restrictions.min_current, restrictions.max_current, "A"),
    ):
        if lower is not None:
            yield _("from %(amount)s on") % {"amount": quantity(lower, unit)}
        if upper is not None:
            yield _("below %(amount)s") % {"amount": quantity(upper, unit)}
    if restrictions.min_duration is not None:
        yield _("after %(time)s") % {"time": formats.duration(restrictions.min_duration)}
    if restrictions.max_duration is not None:
        yield _("for the first %(time)s") % {"time": formats.duration(restrictions.max_duration)}


def _days(days: Iterable[DayOfWeek]) -> str:
    names = get_day_names("wide", context="stand-alone", locale=formats.locale())
    order = list(DayOfWeek)
    return format_list([names[order.index(day)] for day in days], locale=formats.locale())


def _bounds(tariff: Tariff) -> Iterator[str]:
    def words(bound: PriceBound) -> str:
        if bound.incl_vat is not None:
            return formats.unit_price(bound.incl_vat, tariff.currency)
        net = formats.unit_price(bound.excl_vat or Decimal(0), tariff.currency)
        return _("%(amount)s plus VAT") % {"amount": net}

    if tariff.min_price is not None:
        yield _("A session costs at least %(amount)s.") % {"amount": words(tariff.min_price)}
    if tariff.max_price is not None:
        yield _("A session costs at most %(amount)s.") % {"amount": words(tariff.max_price)}


def _vat(tariff: Tariff) -> str:
    rates = sorted({c.vat or Decimal(0) for e in tariff.elements for c in e.price_components})
    if rates == [0]:
        return _("No VAT is charged.")
    listed = format_list([formats.percent(rate) for rate in rates], locale=formats.locale())
    return _("All prices include %(rates)s VAT.") % {"rates": listed}


def _name(version: TariffVersion) -> str:
    return str(version.tariff)


def _example(quote: Quote, charging_s: int) -> str:
    return _("%(energy)s in %(time)s cost %(price)s.") % {
        "energy": formats.kwh(EXAMPLE_WH, places=0),
        "time": formats.duration(charging_s),
        "price": formats.money(quote.price.gross_minor, quote.price.currency),
    }
