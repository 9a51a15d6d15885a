"""Formats of `billing.receipts.formats` for templates, and the shapes beside words."""

from datetime import datetime
from decimal import Decimal

from django import template
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

from billing.receipts import formats
from cms.portal.looks import Look

register = template.Library()


@register.filter
def money(amount_minor: int | None, currency: str) -> str:
    """`€12.34`, from minor units."""
    return formats.money(amount_minor, currency)


@register.filter
def kwh(energy_wh: int | None) -> str:
    """`12.34 kWh`, from Wh."""
    return formats.kwh(energy_wh)


@register.filter
def kw(power_w: int | None) -> str:
    """`7.4 kW`, from W."""
    return formats.kw(power_w)


@register.filter
def span(seconds: int | None) -> str:
    """`1 h 02 min`."""
    return formats.duration(seconds)


@register.filter
def percent(value: Decimal | int) -> str:
    """`19%`."""
    return formats.percent(Decimal(value))


@register.simple_tag
def at(moment: datetime | None, zone: str) -> SafeString | str:
    """A moment as the site's clock shows it."""
    if moment is None:
        return formats.NOTHING
    words = formats.at(moment, zone)
    return format_html('<time datetime="{}">{}</time>', moment.isoformat(), words)


@register.simple_tag
def clock_at(moment: datetime | None, zone: str) -> SafeString | str:
    """As `at`, without the day."""
    if moment is None:
        return formats.NOTHING
    words = formats.time_of_day(moment, zone)
    return format_html('<time datetime="{}">{}</time>', moment.isoformat(), words)


@register.simple_tag
def zone_words(moment: datetime, zone: str) -> str:
    """`Europe/Berlin, UTC+01:00`."""
    return formats.zone_words(moment, zone)


@register.simple_tag
def icon(name: str) -> SafeString:
    """A shape beside a word; screen readers get the word alone."""
    return format_html(
        '<svg class="icon" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>',
        static("img/icons.svg"),
        name,
    )


@register.simple_tag
def pill(look: Look) -> SafeString:
    """A status: colour, shape and word."""
    return format_html(
        '<span class="pill pill--{}">{}{}</span>', look.colour, icon(look.shape), look.word
    )


@register.filter
def spaced(code: str) -> str:
    """`ABCD 1234`, as a label prints it."""
    return f"{code[:4]} {code[4:]}"
