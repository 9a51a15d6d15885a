"""A tariff as a person fills it in: one price each for energy, time, idling and the start, and hours with other prices.

`to_tariff` makes the OCPI value of it, `from_tariff` reads one back, or says that the tariff holds more than this form
can show; nothing is ever lost between the two. Pure: values in, values out.
"""

from dataclasses import dataclass, replace
from datetime import time
from decimal import Decimal

from billing.tariffs.tariff import (
    DayOfWeek,
    Dimension,
    DisplayText,
    Extension,
    PriceBound,
    PriceComponent,
    Restrictions,
    Tariff,
    TariffElement,
    TariffType,
)

NOTE_LANGUAGE = "en"


@dataclass(frozen=True, slots=True)
class Prices:
    """Major units per kWh and per hour, net of VAT; None leaves the dimension to whatever comes next."""

    energy: Decimal | None = None
    charging_time: Decimal | None = None
    idle_time: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Hours:
    """Other prices on some days and between two times of the day; no days are all days.

    Either both times or none; an end before the start lies on the next day. `prices` that are None stay as usual.
    """

    prices: Prices
    days: tuple[DayOfWeek, ...] = ()
    starts: time | None = None
    ends: time | None = None


@dataclass(frozen=True, slots=True)
class PlainTariff:
    """`hours` in order: the first that matches a moment prices it. Bounds are totals with VAT, the cap is net."""

    name: str
    currency: str
    prices: Prices
    start_fee: Decimal | None = None
    vat_percent: Decimal | None = None
    energy_step_wh: int = 1
    time_step_s: int = 1
    idle_grace_s: int | None = None
    idle_cap: Decimal | None = None
    least: Decimal | None = None
    most: Decimal | None = None
    country: str | None = None
    type: TariffType | None = None
    note: str = ""
    hours: tuple[Hours, ...] = ()


def to_tariff(plain: PlainTariff, *, like: Tariff | None = None) -> Tariff:
    """The OCPI value; what the form does not show (id, dates, notes in other languages) is kept from `like`."""
    base = like or Tariff(currency=plain.currency, elements=())
    elements = [
        TariffElement(
            _components(plain, hours.prices, None),
            Restrictions(
                start_time=hours.starts, end_time=hours.ends, day_of_week=tuple(hours.days)
            ),
        )
        for hours in plain.hours
    ]
    if usual := _components(plain, plain.prices, plain.start_fee):
        elements.append(TariffElement(usual))
    extension = Extension(
        name=plain.name or None,
        idle_grace_s=plain.idle_grace_s,
        idle_cap=plain.idle_cap,
        country=plain.country,
    )
    return replace(
        base,
        currency=plain.currency,
        elements=tuple(elements),
        type=plain.type,
        alt_text=_with_note(base.alt_text, plain.note),
        min_price=None if plain.least is None else PriceBound(incl_vat=plain.least),
        max_price=None if plain.most is None else PriceBound(incl_vat=plain.most),
        x_magetsi=None if extension == Extension() else extension,
    )


def from_tariff(tariff: Tariff) -> PlainTariff | None:
    """The form of a tariff; None where the form cannot say all of it."""
    usual = tariff.elements[-1] if tariff.elements and _is_usual(tariff.elements[-1]) else None
    special = tariff.elements[:-1] if usual else tariff.elements
    components = [c for element in tariff.elements for c in element.price_components]
    priced = {c.type: c for c in usual.price_components} if usual else {}
    flat = priced.get(Dimension.FLAT)
    extension = tariff.x_magetsi or Extension()
    plain = PlainTariff(
        name=extension.name or "",
        currency=tariff.currency,
        prices=_prices(usual),
        start_fee=flat.price if flat else None,
        vat_percent=components[0].vat if components else None,
        energy_step_wh=_step(components, Dimension.ENERGY),
        time_step_s=_step(components, Dimension.TIME, Dimension.PARKING_TIME),
        idle_grace_s=extension.idle_grace_s,
        idle_cap=extension.idle_cap,
        least=tariff.min_price.incl_vat if tariff.min_price else None,
        most=tariff.max_price.incl_vat if tariff.max_price else None,
        country=extension.country,
        type=tariff.type,
        note=next((t.text for t in tariff.alt_text if t.language == NOTE_LANGUAGE), ""),
        hours=tuple(_hours(element) for element in special),
    )
    return plain if to_tariff(plain, like=tariff) == tariff else None


def _components(
    plain: PlainTariff, prices: Prices, start_fee: Decimal | None
) -> tuple[PriceComponent, ...]:
    wanted = (
        (Dimension.FLAT, start_fee, 1),
        (Dimension.ENERGY, prices.energy, plain.energy_step_wh),
        (Dimension.TIME, prices.charging_time, plain.time_step_s),
        (Dimension.PARKING_TIME, prices.idle_time, plain.time_step_s),
    )
    return tuple(
        PriceComponent(kind, price, plain.vat_percent, step)
        for kind, price, step in wanted
        if price is not None
    )


def _with_note(texts: tuple[DisplayText, ...], note: str) -> tuple[DisplayText, ...]:
    """The note in its language; in its place where there was one, else first."""
    if not note:
        return tuple(text for text in texts if text.language != NOTE_LANGUAGE)
    fresh = DisplayText(NOTE_LANGUAGE, note)
    if any(text.language == NOTE_LANGUAGE for text in texts):
        return tuple(fresh if text.language == NOTE_LANGUAGE else text for text in texts)
    return (fresh, *texts)


def _is_usual(element: TariffElement) -> bool:
    return element.restrictions is None or element.restrictions == Restrictions()


def _prices(element: TariffElement | None) -> Prices:
    by_kind = {c.type: c.price for c in element.price_components} if element else {}
    return Prices(
        energy=by_kind.get(Dimension.ENERGY),
        charging_time=by_kind.get(Dimension.TIME),
        idle_time=by_kind.get(Dimension.PARKING_TIME),
    )


def _hours(element: TariffElement) -> Hours:
    limits = element.restrictions or Restrictions()
    return Hours(_prices(element), limits.day_of_week, limits.start_time, limits.end_time)


def _step(components: list[PriceComponent], *kinds: Dimension) -> int:
    return next((c.step_size for c in components if c.type in kinds), 1)
