"""All stations, and the same as a file."""

from collections.abc import Iterator
from typing import Any

from django.http import HttpResponse, StreamingHttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET

from cms.portal.access import OperatorRequest, operator_page
from cms.portal.export import csv_response
from cms.portal.looks import CONNECTOR, OFFLINE, ONLINE, Look
from cms.portal.pages import page, station_address
from cms.portal.selectors import StationView, counts_of
from cms.portal.station_list import (
    CHOICES_SHOWN,
    SORTS,
    Wanted,
    all_stations_for,
    models_of,
    station_page_for,
)
from stations.selectors.locations import locations_for

_STATES = (
    ("online", ONLINE),
    ("charging", CONNECTOR["Charging"]),
    ("faulted", CONNECTOR["Faulted"]),
    ("offline", OFFLINE),
    ("new", Look(gettext_lazy("Never connected"), "offline", "ring")),
)


@require_GET
@operator_page
def station_list(request: OperatorRequest) -> HttpResponse:
    """`?q=` searches, `?status=`, `?location=` and `?model=` filter, `?sort=` sorts, `?after=` turns the page."""
    wanted = Wanted.from_query(request.GET)
    found = station_page_for(request.actor, wanted, now=timezone.now())
    counts = counts_of(request.actor)
    return page(
        request,
        "portal/station_list.html",
        {
            "wanted": wanted,
            "found": found,
            "counts": counts,
            "filters": [
                {
                    "status": status,
                    "href": wanted.address(status=status),
                    "word": look.word,
                    "count": counts[status],
                }
                for status, look in _STATES
            ],
            "all_href": wanted.address(status=""),
            "heads": {column: _head(wanted, column) for column in SORTS},
            "first_href": wanted.address() if wanted.after else "",
            "next_href": wanted.address(after=found.next_after) if found.next_after else "",
            "locations": locations_for(request.actor)[:CHOICES_SHOWN],
            "models": models_of(request.actor),
            "station_address": station_address(),
            "room": "stations",
        },
    )


def _head(wanted: Wanted, column: str) -> dict[str, str]:
    """A column's head as `components/sort.html` wants it."""
    direction = ""
    if wanted.column == column:
        direction = "descending" if wanted.is_descending else "ascending"
    return {"href": wanted.sorted_by(column), "direction": direction}


@require_GET
@operator_page
def station_export(request: OperatorRequest) -> StreamingHttpResponse:
    """Exactly the stations that the list shows under the same address, all pages of them."""
    wanted = Wanted.from_query(request.GET)
    stations = all_stations_for(request.actor, wanted, now=timezone.now())
    head = [
        _("Identity"), _("Name"), _("Location"), _("Connection"), _("Last seen"), _("Vendor"),
        _("Model"), _("Serial number"), _("Firmware"), _("Connectors"), _("Power in W"),
    ]  # fmt: skip
    return csv_response(request, "stations.csv", head, _rows(stations))


def _rows(stations: Iterator[StationView]) -> Iterator[list[Any]]:
    for view in stations:
        station, state = view.station, getattr(view.station, "state", None)
        outlets = [
            f"{evse.evse_id} {outlet.kind} {outlet.look.word}".replace("  ", " ")
            for evse in view.evses
            for outlet in evse.connectors
        ]
        yield [
            station.identity,
            station.name,
            station.location or "",
            view.look.word,
            state.last_seen_at if state else None,
            state.vendor if state else "",
            state.model if state else "",
            state.serial_number if state else "",
            state.firmware_version if state else "",
            "; ".join(outlets),
            view.power_w,
        ]
