"""One station, and what can be asked of it."""

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from accounts.selectors import id_tokens_for
from accounts.services.permissions import require
from cms.base.errors import Conflict, Invalid
from cms.portal.access import OperatorRequest, operator_page
from cms.portal.commands import latest_commands, told_configuration
from cms.portal.pages import page
from cms.portal.questions import QUESTIONS
from cms.portal.refusals import show_refusal
from cms.portal.remedies import own_failures
from cms.portal.selectors import station_views
from cms.portal.sessions import session_page_for
from cms.portal.trace import latest_frames
from stations.selectors.stations import get_station_with_state_for

_SESSIONS_SHOWN = 10
_ID_TOKENS_SUGGESTED = 50


@require_GET
@operator_page
def station_detail(request: OperatorRequest, identity: str) -> HttpResponse:
    """Header, EVSEs, commands and their outcomes, sessions, frames."""
    station = get_station_with_state_for(request.actor, identity)
    now = timezone.now()
    view = station_views([station], actor=request.actor, now=now, priced=True)[0]
    sessions, _more = session_page_for(
        request.actor, status="", station=identity, before="", now=now
    )
    commands = latest_commands(station)
    return page(
        request,
        "portal/station_detail.html",
        {
            "view": view,
            "station": station,
            "state": getattr(station, "state", None),
            "failures": own_failures(station),
            "commands": commands,
            "has_open_commands": any(command.is_open for command in commands),
            "configuration": told_configuration(station),
            "sessions": sessions[:_SESSIONS_SHOWN],
            "frames": latest_frames(station),
            "now": now,
            "zone": (station.location or request.actor.operator).time_zone,
        },
    )


@require_http_methods(["GET", "HEAD", "POST"])
@operator_page
def station_question(request: OperatorRequest, identity: str, kind: str) -> HttpResponse:
    """Say what will happen, ask once, queue the command."""
    question = QUESTIONS.get(kind)
    if question is None:
        raise Http404(_("There is no such command."))
    station = get_station_with_state_for(request.actor, identity)
    require(request.actor, question.capability)
    if request.method == "POST":
        form = question.form_class(request.POST)
        if form.is_valid():
            try:
                question.queue(request.actor, station, form.cleaned_data)
            except (Conflict, Invalid) as error:
                show_refusal(form, error)
            else:
                messages.success(
                    request,
                    _("%(title)s: sent to the station. Its answer appears under Commands.")
                    % {"title": question.title},
                )
                return redirect(reverse("station", args=[identity]) + "#commands")
    else:
        form = question.form_class(initial=request.GET.dict())
    suggested = id_tokens_for(request.actor).filter(status="accepted").select_related("driver")
    return page(
        request,
        "portal/station_question.html",
        {
            "question": question,
            "station": station,
            "form": form,
            "evse_id": form["evse_id"].value() if "evse_id" in form.fields else None,
            "id_tokens": suggested[:_ID_TOKENS_SUGGESTED] if kind == "start" else [],
        },
        status=400 if form.is_bound else 200,
    )
