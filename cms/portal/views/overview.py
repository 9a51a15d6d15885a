"""The first page: stations and vehicles as they are now, and what needs a person."""

from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_GET

from cms.portal.access import OperatorRequest, operator_page
from cms.portal.pages import page, station_address
from cms.portal.selectors import SHOWS, overview_for


@require_GET
@operator_page
def overview(request: OperatorRequest) -> HttpResponse:
    """`?show=` filters the stations, `?after=` turns the page; a filter nobody knows shows all."""
    show = request.GET.get("show", "")
    show = show if show in SHOWS else ""
    after = request.GET.get("after", "").replace("\0", "")
    now = timezone.now()
    shown = overview_for(request.actor, show=show, after=after, now=now)
    return page(
        request,
        "portal/overview.html",
        {
            "overview": shown,
            "show": show,
            "after": after,
            "room": "overview",
            "station_address": station_address(),
        },
    )
