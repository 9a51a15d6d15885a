"""What all tabs of a station's page have in common."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from cms.portal.access import OperatorRequest
from cms.portal.pages import page
from cms.portal.remedies import own_failures
from cms.portal.selectors import StationView, station_views
from stations.models import ChargingStation
from stations.selectors.stations import get_station_with_state_for

# Names of addresses and their words, in the order of the tabs.
_TABS: list[tuple[str, str | Promise]] = [
    ("station", _("Now")),
    ("station-sessions", _("Sessions")),
    ("station-trace", _("Messages")),
    ("station-commands", _("Commands")),
    ("station-smart-charging", _("Smart charging")),
    ("station-reservations", _("Reservations & cards")),
    ("station-configuration", _("Configuration")),
    ("station-security", _("Security")),
    ("station-upkeep", _("Firmware & logs")),
    ("station-settings", _("Settings")),
    ("station-labels", _("Labels")),
]

Add = Callable[[StationView], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Tab:
    """One tab, as `components/tabs.html` wants it."""

    href: str
    word: str | Promise
    current: bool
    count: int | None = None


def tabs_of(station: ChargingStation, current: str) -> list[Tab]:
    """`current` is the name of the address that is shown."""
    return [
        Tab(reverse(name, args=[station.identity]), word, name == current) for name, word in _TABS
    ]


def station_page(
    request: OperatorRequest,
    identity: str,
    tab: str,
    template: str,
    add: Add,
    *,
    priced: bool = False,
    status: int = 200,
) -> HttpResponse:
    """A tab of the station's page; `add` gives what this tab shows beside the head.

    Raises:
        NotFound: no such station, or another operator's.
    """
    station = get_station_with_state_for(request.actor, identity)
    view = station_views([station], actor=request.actor, now=timezone.now(), priced=priced)[0]
    shared = {
        "view": view,
        "station": station,
        "state": getattr(station, "state", None),
        "failures": own_failures(station),
        "tabs": tabs_of(station, tab),
        "tab": tab,
        "zone": (station.location or request.actor.operator).time_zone,
        "room": "stations",
    }
    return page(request, template, shared | add(view), status=status)
