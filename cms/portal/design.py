"""The design system as data: its colours with their contrasts, and a sample of everything it draws.

The samples are plain objects with the attributes that templates read; nothing here is stored.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from cms.portal.looks import CONNECTOR, Look, connector_look

COLOURS = ("good", "charging", "busy", "warn", "bad", "offline")
# What WCAG 2.1 AA asks of words, and of the edges of controls and of shapes.
OF_WORDS = 4.5
OF_SHAPES = 3.0

# Ink, ground, and the contrast they need.
PAIRS = [
    *((ink, ground, OF_WORDS) for ink in ("ink", "muted", "link", "danger", *COLOURS) for ground in ("ground", "surface", "raised")),
    *((colour, f"{colour}-soft", OF_WORDS) for colour in COLOURS),
    *((ink, f"{colour}-soft", OF_WORDS) for ink in ("ink", "muted") for colour in COLOURS),
    *((ink, ground, OF_WORDS) for ink, ground in (
        ("on-action", "action"), ("on-action", "action-hover"), ("surface", "danger"),
        ("surface", "danger-hover"), ("band-ink", "band"), ("band-muted", "band"), ("spark", "band"),
    )),
    *((edge, ground, OF_SHAPES) for edge in ("line-strong", "focus", "action") for ground in ("ground", "surface", "raised")),
]  # fmt: skip

_DECLARATION = re.compile(r"--([\w-]+):\s*(#[0-9a-f]{6});")


@dataclass(frozen=True, slots=True)
class Contrast:
    """One pair of colours in one scheme."""

    ink: str
    ground: str
    needed: float
    light: float
    dark: float

    @property
    def is_enough(self) -> bool:
        return min(self.light, self.dark) >= self.needed


def colours_of_tokens() -> tuple[dict[str, str], dict[str, str]]:
    """The colours of `tokens.css` by name, in the light and in the dark scheme."""
    text = (Path(settings.BASE_DIR) / "static/css/tokens.css").read_text()
    light_text, _media, rest = text.partition("@media (prefers-color-scheme: dark)")
    dark_text = rest.partition("@media")[0]
    light = dict(_DECLARATION.findall(light_text))
    return light, light | dict(_DECLARATION.findall(dark_text))


def contrasts() -> list[Contrast]:
    """Every pair that the pages use."""
    light, dark = colours_of_tokens()
    return [
        Contrast(
            ink,
            ground,
            needed,
            contrast(light[ink], light[ground]),
            contrast(dark[ink], dark[ground]),
        )
        for ink, ground, needed in PAIRS
    ]


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two `#rrggbb` colours, 1 to 21 (WCAG 2.1, 1.4.3)."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    channels = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


class SampleForm(forms.Form):
    """A field of each kind; unbound, or bound to nothing, which shows every error."""

    name = forms.CharField(label=_("Name"), max_length=120, help_text=_("What your team calls it."))
    energy = forms.DecimalField(label=_("Energy in kWh"), min_value=0)
    kind = forms.ChoiceField(
        label=_("Connector"), choices=[("", "–"), ("t2", "Type 2"), ("ccs", "CCS")]
    )
    how = forms.ChoiceField(
        label=_("How it signs in"),
        widget=forms.RadioSelect,
        choices=[("password", _("With a password")), ("none", _("Without a password"))],
    )
    note = forms.CharField(label=_("Note"), widget=forms.Textarea(attrs={"rows": 2}))
    agreed = forms.BooleanField(label=_("Send me a message when it comes back"))


def sample_evses() -> list[dict[str, Any]]:
    """An EVSE card for each state; `view` and `evse` as `portal/evse_card.html` reads them."""
    return [
        _evse_card(number, status, online=True) for number, status in enumerate(CONNECTOR, 1)
    ] + [_evse_card(len(CONNECTOR) + 1, "Available", online=False)]


def _evse_card(number: int, status: str, *, online: bool) -> dict[str, Any]:
    outlet = SimpleNamespace(
        connector_id=1,
        connector=None,
        kind="CCS" if number % 2 else "Type 2",
        max_power_w=150_000 if number % 2 else 22_000,
        status=SimpleNamespace(status=status, changed_at=None),
        look=connector_look(status, online=online),
    )
    charging = status in ("Charging", "SuspendedEV", "SuspendedEVSE")
    charge = SimpleNamespace(
        tx=SimpleNamespace(pk=1),
        session=None,
        power_w=46_300 if status == "Charging" else 0,
        energy_wh=12_340,
        soc_percent=64,
        duration=timedelta(minutes=23, seconds=4),
        price=SimpleNamespace(gross_minor=617, currency="EUR"),
        who="Ada Example",
    )
    return {
        "view": SimpleNamespace(is_online=online),
        "evse": SimpleNamespace(
            evse_id=number, connectors=[outlet], charge=charge if charging else None
        ),
    }


def sample_timeline() -> list[dict[str, Any]]:
    """A session that went well, and one trouble of each colour."""
    start = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)
    story: list[tuple[int, Look, Any, Any]] = [
        (0, Look("", "busy", "card"), _("The card was tapped"), _("Card ending in 4F21, Ada Example")),
        (1, Look("", "good", "check"), _("Accepted"), _("The card is known and may charge here.")),
        (9, Look("", "charging", "plug"), _("The vehicle was plugged in"), ""),
        (14, Look("", "charging", "bolt"), _("Energy flows"), _("Up to 46.3 kW")),
        (900, Look("", "warn", "pause"), _("Paused by the vehicle"), _("For 4 minutes")),
        (1380, Look("", "offline", "stop"), _("Stopped at the vehicle"), ""),
        (1381, Look("", "good", "receipt"), _("Priced"), _("6.17 EUR by tariff “Standard”")),
        (1390, Look("", "bad", "warning"), _("The payment failed"), _("The bank refused it; tried again tomorrow.")),
    ]  # fmt: skip
    return [
        {"at": start + timedelta(seconds=s), "look": look, "words": words, "detail": detail}
        for s, look, words, detail in story
    ]
