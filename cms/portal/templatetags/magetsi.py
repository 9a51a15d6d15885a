"""Units, money, times and statuses as people read them."""

from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from babel.dates import format_skeleton
from django import template
from django.templatetags.static import static
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from billing.receipts import formats
from cms.base.money import to_major
from cms.portal.looks import COMMAND, SESSION, Look

register = template.Library()

_NOTHING = "–"
_NBSP = "\u00a0"


@register.filter
def kwh(energy_wh: int | None) -> str:
    """`12.34 kWh`, from Wh; a dash where it is not known."""
    return _scaled(energy_wh, "kWh", places=2)


@register.filter
def exact_kwh(energy_wh: int | None) -> str:
    """`12.345 kWh`, to the Wh."""
    return _scaled(energy_wh, "kWh", places=3)


@register.filter
def kw(power_w: int | None) -> str:
    """`11.0 kW`, from W."""
    return _scaled(power_w, "kW", places=1)


@register.filter
def whole_kw(power_w: int | None) -> str:
    """`22 kW` for what a plate says; a fraction only where there is one."""
    whole = power_w is not None and power_w % 1000 == 0
    return _scaled(power_w, "kW", places=0 if whole else 1)


def _scaled(value: int | str | None, unit: str, *, places: int) -> str:
    if value is None or value == "":
        return _NOTHING
    step = Decimal(1).scaleb(-places)
    scaled = (Decimal(value) / 1000).quantize(step, ROUND_HALF_UP)
    return f"{number_format(scaled, places, force_grouping=True)}{_NBSP}{unit}"


@register.filter
def money(amount_minor: int | str | None, currency: str) -> str:
    """`12.34 EUR`, from minor units."""
    if amount_minor is None or amount_minor == "":
        return _NOTHING
    major = to_major(int(amount_minor), currency)
    places = max(0, -int(major.as_tuple().exponent))
    return f"{number_format(major, places, force_grouping=True)}{_NBSP}{currency}"


@register.filter
def plain_number(value: Any) -> str:
    """A decimal with the digits it has and no trailing noughts."""
    number = Decimal(str(value))
    text = format(number.normalize(), "f") if number else "0"
    return number_format(text)


@register.filter
def hours(quantity: Any) -> str:
    """Hours of a price line as `h:mm:ss`."""
    return duration(timedelta(seconds=float(Decimal(str(quantity)) * 3600)))


@register.filter
def duration(span: timedelta | int | None) -> str:
    """`1:02:03`; from seconds too."""
    if span in (None, ""):
        return _NOTHING
    seconds = round(span.total_seconds()) if isinstance(span, timedelta) else int(span)
    return f"{seconds // 3600}:{seconds % 3600 // 60:02d}:{seconds % 60:02d}"


@register.filter
def protocol_name(subprotocol: str) -> str:
    """`OCPP 1.6`, from the websocket's `ocpp1.6`."""
    return subprotocol.replace("ocpp", "OCPP" + _NBSP)


@register.filter
def rfc3339_time(text: str) -> datetime:
    """The time that a stored document names."""
    return datetime.fromisoformat(text)


@register.simple_tag
def at(moment: datetime | None, zone: str = "UTC", style: str = "") -> SafeString | str:
    """A moment in a site's time zone; `style` is empty, `short`, `seconds` or `clock`."""
    if not moment:
        return _NOTHING
    words = _written(moment, zone, style)
    return format_html('<time datetime="{}">{}</time>', moment.isoformat(), words)


def _written(moment: datetime, zone: str, style: str) -> str:
    """The order of day, month and year is the language's own, as on a receipt."""
    match style:
        case "":
            return formats.at(moment, zone)
        case "seconds":
            return formats.at(moment, zone, seconds=True)
        case "clock":
            return formats.time_of_day(moment, zone)
        case "short":
            local = moment.astimezone(formats.zone(zone))
            day, clock = (
                format_skeleton(fields, local, tzinfo=local.tzinfo, locale=formats.locale())
                for fields in ("MMMd", "Hm")
            )
            return f"{day}, {clock}"
    raise ValueError(style)


@register.simple_tag
def ago(moment: datetime | None) -> SafeString | str:
    """How long ago, roughly, with the exact time to hover over."""
    if not moment:
        return _("never")
    seconds = max(0, int((timezone.now() - moment).total_seconds()))
    return format_html(
        '<time datetime="{}" title="{} UTC">{}</time>',
        moment.isoformat(),
        formats.at(moment, "UTC", seconds=True),
        _roughly(seconds),
    )


def _roughly(seconds: int) -> str:
    if seconds < 60:
        return _("just now")
    if seconds < 3600:
        n = seconds // 60
        return ngettext("%(n)s minute ago", "%(n)s minutes ago", n) % {"n": n}
    if seconds < 86400:
        n = seconds // 3600
        return ngettext("%(n)s hour ago", "%(n)s hours ago", n) % {"n": n}
    n = seconds // 86400
    return ngettext("%(n)s day ago", "%(n)s days ago", n) % {"n": n}


@register.simple_tag
def pill(look: Look) -> SafeString:
    """A status: colour, shape and word."""
    return format_html(
        '<span class="pill pill--{}">{}{}</span>', look.colour, icon(look.shape), look.word
    )


@register.simple_tag
def session_pill(status: str) -> SafeString:
    """The status of a charging session."""
    return pill(SESSION[status])


@register.simple_tag
def command_pill(status: str) -> SafeString:
    """The status of a command."""
    return pill(COMMAND[status])


@register.simple_tag
def icon(name: str) -> SafeString:
    """A shape beside a word; screen readers get the word alone."""
    return format_html(
        '<svg class="icon" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>',
        static("img/icons.svg"),
        name,
    )


@register.simple_tag
def line_words(line: dict[str, Any]) -> str:
    """What a price line charges for."""
    if line["net_minor"] < 0:
        return _("Reduction to the maximum price")
    words = {
        "ENERGY": _("Energy"),
        "TIME": _("Charging time"),
        "PARKING_TIME": _("Parked without charging"),
        "FLAT": _("Fixed fee"),
        "RESERVATION": _("Reservation"),
    }
    return words.get(line["dimension"], str(line["dimension"]))
