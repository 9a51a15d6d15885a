"""A station's security: how it signs in, its certificates, what it reported."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.services.permissions import require
from cms.base.errors import Conflict
from cms.portal.access import OperatorRequest, operator_page
from cms.portal.commands import latest_commands
from cms.portal.pages import page
from cms.portal.security_page import security_of
from cms.portal.selectors import StationView
from cms.portal.station_page import station_page
from stations.maintenance.certificates import revoke_certificate
from stations.maintenance.security_events import acknowledge_security_event
from stations.selectors.certificates import get_certificate_of
from stations.selectors.security_events import get_security_event_for
from stations.selectors.stations import get_station_for


@require_GET
@operator_page
def station_security(request: OperatorRequest, identity: str) -> HttpResponse:
    """How it signs in, its certificates and its security events."""

    def add(view: StationView) -> dict[str, Any]:
        commands = latest_commands(view.station)
        return {
            "security": security_of(request.actor, view.station, now=timezone.now()),
            "has_open_commands": any(command.is_open for command in commands),
        }

    return station_page(request, identity, "station-security", "portal/station_security.html", add)


@require_http_methods(["GET", "HEAD", "POST"])
@operator_page
def revoke(request: OperatorRequest, identity: str, id: str) -> HttpResponse:
    """Say what a revocation means, ask once, do it."""
    station = get_station_for(request.actor, identity)
    require(request.actor, "stations.change")
    certificate = get_certificate_of(station, id)
    if request.method == "POST":
        try:
            revoke_certificate(certificate=certificate, acting=request.actor)
        except Conflict as error:
            messages.error(request, error.message)
        else:
            messages.success(request, _("Revoked. It opens no door any more."))
        return redirect(reverse("station-security", args=[identity]) + "#certificates")
    return page(
        request,
        "portal/certificate_revoke.html",
        {
            "station": station,
            "certificate": certificate,
            "zone": request.actor.operator.time_zone,
            "room": "stations",
        },
    )


@require_POST
@operator_page
def acknowledge(request: OperatorRequest, id: str) -> HttpResponse:
    """Somebody has seen an event, and the earlier ones of its kind at this station."""
    event = get_security_event_for(request.actor, id)
    acknowledge_security_event(event=event, acting=request.actor, with_earlier=True)
    messages.success(request, _("Marked as seen."))
    if request.POST.get("next") == "station":
        return redirect(reverse("station-security", args=[event.station.identity]) + "#events")
    return redirect("operator")
