"""The rooms of the portal, as the band of every page lists them."""

from dataclasses import dataclass
from typing import Any

from django import template
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

register = template.Library()

# What a page calls its `room`, the address, the word.
_ROOMS = (
    ("overview", "operator", _("Overview")),
    ("map", "map", _("Map")),
    ("stations", "stations", _("Stations")),
    ("sessions", "sessions", _("Sessions")),
    ("tokens", "id-tokens", _("Cards")),
    ("tariffs", "tariffs", _("Tariffs")),
    ("team", "team", _("Team")),
    ("handshakes", "handshakes", _("Refusals")),
)


@dataclass(frozen=True, slots=True)
class Room:
    """One of them; at most one of a page is `current`."""

    href: str
    word: str
    current: bool


@register.simple_tag(takes_context=True)
def rooms(context: dict[str, Any]) -> list[Room]:
    """All, in their order; the page's `room` is the current one."""
    here = context.get("room")
    return [Room(reverse(name), str(word), room == here) for room, name, word in _ROOMS]


@register.simple_tag
def current_room(all_rooms: list[Room]) -> str:
    """The word of the current one; empty on a page that is in none."""
    return next((room.word for room in all_rooms if room.current), "")
