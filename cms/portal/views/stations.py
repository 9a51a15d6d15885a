"""One station as it is now, and what can be asked of it."""

from typing import Any

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
from cms.portal.clock_words import clock_words
from cms.portal.commands import latest_commands
from cms.portal.forms import StationForm
from cms.portal.pages import page, station_address
from cms.portal.questions import QUESTIONS
from cms.portal.quirk_words import habits_of
from cms.portal.recovery import recovery_of
from cms.portal.refusals import show_refusal
from cms.portal.selectors import StationView
from cms.portal.station_page import station_page
from stations.selectors.clock import clock_fault_of
from stations.selectors.stations import get_station_with_state_for

_ID_TOKENS_SUGGESTED = 50


@require_GET
@operator_page
def station_detail(request: OperatorRequest, identity: str) -> HttpResponse:
    """What is wrong, its EVSEs with the vehicles at them, the latest commands, all buttons."""

    def add(view: StationView) -> dict[str, Any]:
        now = timezone.now()
        commands = latest_commands(view.station)
        recovery = recovery_of(view, now=now)
        state = getattr(view.station, "state", None)
        zone = (view.station.location or request.actor.operator).time_zone
        clock = clock_fault_of(view.station, state, zone=zone, now=now)
        return {
            "commands": commands,
            "recovery": recovery,
            "habits": habits_of(view.station, state, now=now),
            "clock": clock_words(clock) if clock else None,
            "has_open_commands": any(command.is_open for command in commands)
            or (recovery is not None and not recovery.is_over),
            "station_address": station_address(),
            "now": now,
        }

    return station_page(
        request, identity, "station", "portal/station_detail.html", add, priced=True
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
    is_post = request.method == "POST"
    form = (
        question.form_class(request.POST)
        if is_post
        else question.form_class(initial=request.GET.dict())
    )
    if isinstance(form, StationForm):
        form.offer(request.actor, station)
    if is_post and form.is_valid():
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
            return redirect(reverse(question.shown_on, args=[identity]) + question.anchor)
    suggested = id_tokens_for(request.actor).filter(status="accepted").select_related("driver")
    return page(
        request,
        "portal/station_question.html",
        {
            "question": question,
            "station": station,
            "form": form,
            "evse_id": form["evse_id"].value() if "evse_id" in form.fields else None,
            "id_tokens": suggested[:_ID_TOKENS_SUGGESTED] if "id_token" in form.fields else [],
            "room": "stations",
        },
        status=400 if form.is_bound else 200,
    )
