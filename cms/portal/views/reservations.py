"""Reservations at a station, and the cards that it decides on by itself."""

from typing import Any

from django.http import HttpResponse
from django.views.decorators.http import require_GET

from cms.portal.access import OperatorRequest, operator_page
from cms.portal.commands import command_page
from cms.portal.reservation_words import LocalListView, reservation_views
from cms.portal.selectors import StationView
from cms.portal.station_page import station_page
from stations.selectors.planning import local_list_for, reservations_for
from stations.services.local_lists import is_under_way
from stations.services.reservations import OPEN

_OPEN_SHOWN = 50
_PAST_SHOWN = 10


@require_GET
@operator_page
def station_reservations(request: OperatorRequest, identity: str) -> HttpResponse:
    """What is kept free, what became of the last ones, and the list of cards."""

    def add(view: StationView) -> dict[str, Any]:
        rows = reservations_for(request.actor).filter(station=view.station).order_by("-id")
        local_list = local_list_for(request.actor, view.station)
        running, _more = command_page(view.station, before="", size=1)
        return {
            "reservations": reservation_views(rows.filter(status__in=OPEN)[:_OPEN_SHOWN]),
            "past": [
                view.past for view in reservation_views(rows.exclude(status__in=OPEN)[:_PAST_SHOWN])
            ],
            "local_list": LocalListView(local_list, is_under_way(local_list)),
            "has_open_commands": any(command.is_open for command in running),
        }

    return station_page(
        request, identity, "station-reservations", "portal/station_reservations.html", add
    )
