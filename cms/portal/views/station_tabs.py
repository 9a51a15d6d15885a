"""What a station has said and done: its sessions, messages, commands, settings as told, labels."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.services.permissions import require
from cms.base.errors import Conflict
from cms.portal.access import OperatorRequest, operator_page
from cms.portal.commands import command_page, configuration_of
from cms.portal.labels import labels_of
from cms.portal.selectors import StationView
from cms.portal.sessions import session_page_for
from cms.portal.station_page import station_page
from cms.portal.trace import FILTER_REACHES, FRAMES_SHOWN, frame_page
from stations.ocpp.schemas import SENDERS
from stations.ocpp.versions import Version
from stations.selectors.commands import get_command_for
from stations.services.commands import VERSIONS, cancel_command


@require_GET
@operator_page
def station_sessions(request: OperatorRequest, identity: str) -> HttpResponse:
    """Who charged here, newest first; `?before=` turns the page."""
    before = request.GET.get("before", "")

    def add(view: StationView) -> dict[str, Any]:
        sessions, next_before = session_page_for(
            request.actor, status="", station=identity, before=before, now=timezone.now()
        )
        return {"sessions": sessions, "before": before, "next_before": next_before}

    return station_page(request, identity, "station-sessions", "portal/station_sessions.html", add)


@require_GET
@operator_page
def station_trace(request: OperatorRequest, identity: str) -> HttpResponse:
    """Its frames; `?action=` and `?direction=` filter, `?before=` turns the page."""
    direction = request.GET.get("direction", "")
    direction = direction if direction in ("in", "out") else ""
    action = request.GET.get("action", "").replace("\0", "").strip()[:64]
    before = request.GET.get("before", "")

    def add(view: StationView) -> dict[str, Any]:
        frames, next_before = frame_page(
            view.station, action=action, direction=direction, before=before, now=timezone.now()
        )
        state = getattr(view.station, "state", None)
        version = VERSIONS.get(state.protocol if state else "", Version.V16)
        return {
            "frames": frames,
            "action": action,
            "direction": direction,
            "before": before,
            "next_before": next_before,
            "actions": sorted(SENDERS[version]),
            "frames_shown": FRAMES_SHOWN,
            "filter_days": FILTER_REACHES.days,
        }

    return station_page(request, identity, "station-trace", "portal/station_trace.html", add)


@require_GET
@operator_page
def station_commands(request: OperatorRequest, identity: str) -> HttpResponse:
    """What was asked of it and what it said; `?before=` turns the page."""
    before = request.GET.get("before", "")

    def add(view: StationView) -> dict[str, Any]:
        commands, next_before = command_page(view.station, before=before)
        return {
            "commands": commands,
            "before": before,
            "next_before": next_before,
            "has_open_commands": any(command.is_open for command in commands),
        }

    return station_page(
        request, identity, "station-commands", "portal/station_all_commands.html", add
    )


@require_POST
@operator_page
def cancel(request: OperatorRequest, id: str) -> HttpResponse:
    """Take back a command that waits for its station."""
    command = get_command_for(request.actor, id)
    require(request.actor, "stations.command")
    try:
        cancel_command(command=command, acting=request.actor)
    except Conflict as error:
        messages.error(request, error.message)
    else:
        messages.success(request, _("Taken back; the station was not asked."))
    return redirect("station-commands", identity=command.station.identity)


@require_GET
@operator_page
def station_configuration(request: OperatorRequest, identity: str) -> HttpResponse:
    """Its settings as it told them, and as they were changed since."""

    def add(view: StationView) -> dict[str, Any]:
        running, _more = command_page(view.station, before="", size=1)
        return {
            "configuration": configuration_of(view.station),
            "has_open_commands": any(command.is_open for command in running),
        }

    return station_page(
        request, identity, "station-configuration", "portal/station_configuration.html", add
    )


@require_GET
@operator_page
def station_labels(request: OperatorRequest, identity: str) -> HttpResponse:
    """Labels to print, one for each described connector; connectors without a code get theirs here."""
    return station_page(
        request,
        identity,
        "station-labels",
        "portal/station_labels.html",
        lambda view: {"labels": labels_of(view.station)},
    )
