"""Tariffs and prices in words: what a tariff says, why it applies, and how a price line follows from it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import time
from decimal import Decimal
from typing import Any

from django.utils.dates import WEEKDAYS_ABBR
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from billing.models import TariffAssignment
from billing.tariffs.tariff import (
    DayOfWeek,
    Dimension,
    PriceBound,
    PriceComponent,
    Restrictions,
    Tariff,
)
from cms.base.money import minor_digits, to_major
from cms.portal.templatetags.magetsi import hours, money, plain_number

_WEEK = tuple(DayOfWeek)
_WORKDAYS, _WEEKEND = _WEEK[:5], _WEEK[5:]


@dataclass(frozen=True, slots=True)
class Clause:
    """One sentence of a tariff: when, and what it costs then."""

    when: str
    prices: list[str]


def clauses_of(tariff: Tariff) -> list[Clause]:
    """Every element in its order, each price net and with its VAT."""
    return [
        Clause(
            restriction_words(element.restrictions),
            [component_words(c, tariff.currency) for c in element.price_components],
        )
        for element in tariff.elements
    ]


def summary_of(tariff: Tariff) -> str:
    """The usual price on one line: that of the last element, which holds where no other does."""
    usual = tariff.elements[-1]
    parts = [component_words(c, tariff.currency, with_vat=False) for c in usual.price_components]
    return " + ".join(parts)


def component_words(component: PriceComponent, currency: str, *, with_vat: bool = True) -> str:
    """`0.49 EUR per kWh + 19 % VAT = 0.5831 EUR`."""
    price = price_words(component.price, currency)
    units = {
        Dimension.ENERGY: _("%(price)s per kWh"),
        Dimension.TIME: _("%(price)s per hour of charging"),
        Dimension.PARKING_TIME: _("%(price)s per hour plugged in without charging"),
        Dimension.FLAT: _("%(price)s per session"),
    }
    words = units[component.type] % {"price": price}
    if with_vat and component.vat:
        gross = component.price * (100 + component.vat) / 100
        words += " " + _("+ %(vat)s %% VAT = %(gross)s") % {
            "vat": plain_number(component.vat),
            "gross": price_words(gross, currency),
        }
    return words + _step_words(component)


def price_words(amount: Any, currency: str) -> str:
    """`0.40 EUR`, `0.3451 EUR`: all digits it has, and at least those of the currency."""
    exact = Decimal(str(amount)).normalize()
    places = max(minor_digits(currency), -int(exact.as_tuple().exponent))
    return f"{number_format(exact, places)}\u00a0{currency}"


def _step_words(component: PriceComponent) -> str:
    if component.step_size <= 1 or component.type is Dimension.FLAT:
        return ""
    if component.type is Dimension.ENERGY:
        return ", " + _("counted in steps of %(wh)s Wh") % {"wh": component.step_size}
    return ", " + _("counted in steps of %(time)s") % {"time": span_words(component.step_size)}


def terms_of(tariff: Tariff) -> list[str]:
    """What holds besides the prices: grace, caps, bounds, dates, law."""
    return list(_terms(tariff))


def _terms(tariff: Tariff) -> Iterator[str]:
    if tariff.idle_grace_s:
        yield _("The first %(time)s without charging are free.") % {
            "time": span_words(tariff.idle_grace_s)
        }
    if tariff.idle_cap is not None:
        yield _("Time without charging costs %(cap)s net at most.") % {
            "cap": price_words(tariff.idle_cap, tariff.currency)
        }
    if tariff.min_price:
        yield _("A session costs at least %(bound)s.") % {
            "bound": _bound_words(tariff.min_price, tariff.currency)
        }
    if tariff.max_price:
        yield _("A session costs at most %(bound)s.") % {
            "bound": _bound_words(tariff.max_price, tariff.currency)
        }
    if tariff.start_date_time:
        yield _("For sessions from %(at)s UTC on.") % {
            "at": f"{tariff.start_date_time:%Y-%m-%d %H:%M}"
        }
    if tariff.end_date_time:
        yield _("For sessions before %(at)s UTC.") % {
            "at": f"{tariff.end_date_time:%Y-%m-%d %H:%M}"
        }
    if tariff.x_magetsi and tariff.x_magetsi.country:
        yield _("Checked against the law of %(country)s.") % {"country": tariff.x_magetsi.country}


def _bound_words(bound: PriceBound, currency: str) -> str:
    parts = []
    if bound.incl_vat is not None:
        parts.append(_("%(price)s with VAT") % {"price": price_words(bound.incl_vat, currency)})
    if bound.excl_vat is not None:
        parts.append(_("%(price)s without VAT") % {"price": price_words(bound.excl_vat, currency)})
    return " / ".join(parts)


def restriction_words(limits: Restrictions | None) -> str:
    """When an element holds; “Otherwise, always” words are the caller's."""
    if limits is None or limits == Restrictions():
        return _("At all other times")
    parts = []
    if limits.day_of_week:
        parts.append(days_words(limits.day_of_week))
    if limits.start_time is not None or limits.end_time is not None:
        parts.append(
            _("%(start)s to %(end)s")
            % {"start": _clock(limits.start_time), "end": _clock(limits.end_time, end=True)}
        )
    if limits.start_date or limits.end_date:
        parts.append(
            _("from %(start)s until before %(end)s")
            % {"start": limits.start_date or "…", "end": limits.end_date or "…"}
        )
    for low, high, unit in (
        (limits.min_kwh, limits.max_kwh, "kWh"),
        (limits.min_power, limits.max_power, "kW"),
        (limits.min_current, limits.max_current, "A"),
    ):
        parts += _range_words(low, high, unit)
    if limits.min_duration is not None:
        parts.append(_("after %(time)s") % {"time": span_words(limits.min_duration)})
    if limits.max_duration is not None:
        parts.append(_("in the first %(time)s") % {"time": span_words(limits.max_duration)})
    if limits.reservation:
        parts.append(_("for a reservation"))
    return ", ".join(parts)


def _range_words(low: Decimal | None, high: Decimal | None, unit: str) -> list[str]:
    words = []
    if low is not None:
        words.append(_("from %(value)s %(unit)s") % {"value": plain_number(low), "unit": unit})
    if high is not None:
        words.append(_("below %(value)s %(unit)s") % {"value": plain_number(high), "unit": unit})
    return words


def span_words(seconds: int) -> str:
    """`10 minutes`, `1 hour 30 minutes`."""
    hours_, minutes, rest = seconds // 3600, seconds % 3600 // 60, seconds % 60
    parts = []
    if hours_:
        parts.append(ngettext("%(n)s hour", "%(n)s hours", hours_) % {"n": hours_})
    if minutes:
        parts.append(ngettext("%(n)s minute", "%(n)s minutes", minutes) % {"n": minutes})
    if rest or not parts:
        parts.append(ngettext("%(n)s second", "%(n)s seconds", rest) % {"n": rest})
    return " ".join(parts)


def days_words(days: tuple[DayOfWeek, ...]) -> str:
    """`Mon, Tue`, or a name for the usual groups."""
    if set(days) == set(_WEEK):
        return _("Every day")
    if set(days) == set(_WORKDAYS):
        return _("Monday to Friday")
    if set(days) == set(_WEEKEND):
        return _("Saturday and Sunday")
    return ", ".join(str(WEEKDAYS_ABBR[_WEEK.index(day)]) for day in sorted(days, key=_WEEK.index))


def _clock(at: time | None, *, end: bool = False) -> str:
    if at is None or (end and at == time()):
        return "24:00" if end else "00:00"
    return f"{at:%H:%M}"


def assignment_words(assignment: TariffAssignment) -> str:
    """Why an assignment applies."""
    if assignment.group_id:
        return _("The card belongs to the group %(name)s, which has its own tariff.") % {
            "name": assignment.group
        }
    if assignment.evse_id is not None:
        return _("It is assigned to EVSE %(evse)s of this station.") % {"evse": assignment.evse_id}
    if assignment.station_id:
        return _("It is assigned to this station.")
    if assignment.location_id:
        return _("It is assigned to the location %(name)s.") % {"name": assignment.location}
    return _("It is assigned to everything you have.")


def target_words(assignment: TariffAssignment) -> str:
    """Where an assignment applies."""
    if assignment.group_id:
        return _("Cards of the group %(name)s") % {"name": assignment.group}
    station = assignment.station
    if station is not None and assignment.evse_id is not None:
        return _("Station %(identity)s, EVSE %(evse)s") % {
            "identity": station.identity,
            "evse": assignment.evse_id,
        }
    if station is not None:
        return _("Station %(identity)s") % {"identity": station.identity}
    if assignment.location_id:
        return _("Location %(name)s") % {"name": assignment.location}
    return _("Everything you have")


@dataclass(frozen=True, slots=True)
class PriceLine:
    """A line of a price (as the REST API shows it) with the sentence that proves it."""

    line: dict[str, Any]
    how: str


def explained(price: dict[str, Any]) -> list[PriceLine]:
    """The lines, each with how it follows."""
    return [PriceLine(line, _how(line, price["currency"])) for line in price["lines"]]


def _how(line: dict[str, Any], currency: str) -> str:
    net, tax = money(line["net_minor"], currency), money(line["tax_minor"], currency)
    gross, vat = money(line["gross_minor"], currency), plain_number(line["vat_percent"])
    end = _("%(net)s + %(vat)s %% VAT (%(tax)s) = %(gross)s") % {
        "net": net,
        "vat": vat,
        "tax": tax,
        "gross": gross,
    }
    if _is_bound(line):
        reason = (
            _("The total may not pass the maximum price, so that this is taken off.")
            if line["net_minor"] < 0
            else _("The total may not stay below the minimum price, so that this is added.")
        )
        return f"{reason} {end}"
    unit_price = price_words(line["unit_price"], currency)
    quantity = {
        "kWh": f"{plain_number(line['quantity'])}\u00a0kWh",
        "h": f"{hours(line['quantity'])}\u00a0h",
    }.get(line["unit"], number_format(line["quantity"]))
    exact = Decimal(str(line["quantity"])) * Decimal(str(line["unit_price"]))
    is_exact = exact == to_major(line["net_minor"], currency)
    product = f"{quantity} × {unit_price} {'=' if is_exact else '≈'} {net}"
    return f"{product}; {end}"


def _is_bound(line: dict[str, Any]) -> bool:
    """Whether it lifts or lowers the total to a bound: it spans the session, which a start fee does not."""
    spans = line["dimension"] == "FLAT" and line["from"] != line["to"]
    return bool(spans or line["net_minor"] < 0)
