"""The first page: what is wrong, vehicles and stations as they are now, the day in figures."""

from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_GET

from cms.portal.access import OperatorRequest, operator_page
from cms.portal.beginning import beginning_of
from cms.portal.feed import feed_of
from cms.portal.pages import page, station_address
from cms.portal.selectors import SHOWS, overview_for
from cms.portal.today import hours_of, today_of


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
            "today": today_of(request.actor, now=now),
            "hours": hours_of(request.actor, now=now),
            "feed": feed_of(request.actor, now=now),
            "beginning": beginning_of(request.actor),
            "show": show,
            "after": after,
            "room": "overview",
            "station_address": station_address(),
            "zone": request.actor.operator.time_zone,
        },
    )
