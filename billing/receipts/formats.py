"""Money, energy, times and durations as a person reads them, in their language and the site's time zone.

Amounts come in minor units, unit prices as `Decimal` in major units, energy in Wh. The language is
Django's active one; one that Babel does not know is written as English is.
"""

from datetime import datetime, tzinfo
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_time
from babel.numbers import format_currency, format_decimal
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from cms.base.money import minor_digits, to_major

NOTHING = "–"
_NBSP = "\u00a0"
# Plain "en" would be American: months before days, and a clock of twelve hours.
_WRITTEN_AS = {"en": "en_GB"}
_UNIT_PRICE_DECIMALS = 4


def locale() -> Locale:
    """Of the active language."""
    return _locale(get_language() or "en")


@cache
def _locale(language: str) -> Locale:
    name = _WRITTEN_AS.get(language, language)
    try:
        return Locale.parse(name, sep="-" if "-" in name else "_")
    except (UnknownLocaleError, ValueError):
        return Locale.parse("en_GB")


@cache
def zone(name: str) -> tzinfo:
    """The time zone of a site; UTC where its name is none."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return ZoneInfo("UTC")


def money(amount_minor: int | None, currency: str) -> str:
    """`€12.34`, with the currency's own number of digits."""
    if amount_minor is None:
        return NOTHING
    return _currency(to_major(amount_minor, currency), currency)


def unit_price(price: Decimal, currency: str) -> str:
    """`€0.5831`: at least the currency's digits, at most four."""
    places = max(_UNIT_PRICE_DECIMALS, minor_digits(currency))
    exact = price.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    while places > minor_digits(currency) and exact == exact.quantize(_step(places - 1)):
        places -= 1
        exact = exact.quantize(_step(places))
    return _currency(exact, currency)


def _step(places: int) -> Decimal:
    return Decimal(1).scaleb(-places)


def _currency(amount: Decimal, currency: str) -> str:
    return format_currency(amount, currency, locale=locale(), decimal_quantization=False)


def number(value: Decimal | int, *, places: int | None = None) -> str:
    """A number with the digits it has, or rounded to `places`."""
    exact = Decimal(value)
    if places is not None:
        exact = exact.quantize(_step(places), ROUND_HALF_UP)
        pattern = "#,##0." + "0" * places if places else "#,##0"
        return format_decimal(exact, format=pattern, locale=locale())
    return format_decimal(exact.normalize(), locale=locale(), decimal_quantization=False)


def kwh(energy_wh: int | None, *, places: int = 2) -> str:
    """`12.34 kWh`, from Wh."""
    if energy_wh is None:
        return NOTHING
    return f"{number(Decimal(energy_wh) / 1000, places=places)}{_NBSP}kWh"


def kw(power_w: int | None) -> str:
    """`11 kW` or `7.4 kW`, from W."""
    if power_w is None:
        return NOTHING
    exact = (Decimal(power_w) / 1000).quantize(_step(1), ROUND_HALF_UP)
    return f"{number(exact)}{_NBSP}kW"


def percent(value: Decimal) -> str:
    """`19%` or `19 %`, as the language has it."""
    digits = max(0, -int(value.normalize().as_tuple().exponent))
    pattern = str(locale().percent_formats[None].pattern)
    step = "#,##0." + "0" * digits if digits else "#,##0"
    return format_decimal(value, format=step, locale=locale()) + pattern.split("0")[-1]


def clock(seconds: int | None) -> str:
    """`1:02:03`, a quantity of time to the second."""
    if seconds is None:
        return NOTHING
    return f"{seconds // 3600}:{seconds % 3600 // 60:02d}:{seconds % 60:02d}"


def duration(seconds: int | None) -> str:
    """`1 h 02 min`, `12 min` or `40 s`: as much as one wants to know at a glance."""
    if seconds is None:
        return NOTHING
    if seconds < 60:
        return _("%(s)d s") % {"s": seconds}
    if seconds < 3600:
        return _("%(m)d min") % {"m": seconds // 60}
    return _("%(h)d h %(m)02d min") % {"h": seconds // 3600, "m": seconds % 3600 // 60}


def at(moment: datetime | None, zone_name: str, *, seconds: bool = False) -> str:
    """A date and time at the site: `1 Mar 2026, 13:00`; with seconds where a bill needs them."""
    if moment is None:
        return NOTHING
    local = moment.astimezone(zone(zone_name))
    day = format_date(local, "medium", locale=locale())
    time = format_time(
        local, "medium" if seconds else "short", tzinfo=local.tzinfo, locale=locale()
    )
    return f"{day}, {time}"


def time_of_day(moment: datetime, zone_name: str) -> str:
    """`13:00:05` at the site."""
    local = moment.astimezone(zone(zone_name))
    return format_time(local, "medium", tzinfo=local.tzinfo, locale=locale())


def zone_words(moment: datetime, zone_name: str) -> str:
    """What the site's clock is called at that moment: `Europe/Berlin, UTC+01:00`."""
    offset = moment.astimezone(zone(zone_name)).strftime("%z")
    return f"{zone_name}, UTC{offset[:3]}:{offset[3:]}"
