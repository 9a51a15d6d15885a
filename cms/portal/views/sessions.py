"""Sessions: the list, the same as a file, one with its story and its price, and letting a reviewed one go on."""

from django.contrib import messages
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from accounts.services.permissions import allows
from billing.choices import SessionStatus
from billing.models import ChargingSession
from billing.sessions.review import join_session, sessions_a_stop_may_end, waive_session
from billing.sessions.services import release_session
from cms.base.errors import Conflict, DomainError, NotAllowed
from cms.portal.access import OperatorRequest, operator_page
from cms.portal.curve import power_curve
from cms.portal.export import csv_response
from cms.portal.forms import ReleaseForm, WaiveForm
from cms.portal.looks import SESSION
from cms.portal.pages import page
from cms.portal.recorder import timeline_of
from cms.portal.refusals import show_refusal, told
from cms.portal.review_steps import reason_words
from cms.portal.session_list import EXPORT_HEAD, export_rows, read_filter, session_page
from cms.portal.sessions import get_session_for
from cms.portal.tariff_words import explained
from cms.portal.trace import frames_of_session

_MAX_JOINABLE = 5


@require_GET
@operator_page
def session_list(request: OperatorRequest) -> HttpResponse:
    """The filters are in the address, `?before=` turns the page."""
    form, asked = read_filter(request.GET)
    before = request.GET.get("before", "")
    sessions, following = session_page(request.actor, asked, before=before, now=timezone.now())
    return page(
        request,
        "portal/session_list.html",
        {
            "sessions": sessions,
            "following": following,
            "before": before,
            "form": form,
            "asked": asked,
            "statuses": SESSION.items(),
            "room": "sessions",
        },
    )


@require_GET
@operator_page
def session_export(request: OperatorRequest) -> HttpResponseBase:
    """Everything that the list with these filters shows, on all its pages."""
    _form, asked = read_filter(request.GET)
    now = timezone.now()
    filename = f"sessions-{request.actor.operator.slug}-{now:%Y-%m-%d}.csv"
    return csv_response(request, filename, EXPORT_HEAD, export_rows(request.actor, asked, now=now))


@require_http_methods(["GET", "HEAD", "POST"])
@operator_page
def session_detail(request: OperatorRequest, id: str) -> HttpResponse:
    """The flight recorder of one session; a POST is one of the ways out of its review."""
    view = get_session_for(request.actor, id, now=timezone.now())
    form, waive_form = ReleaseForm(), WaiveForm(prefix="waive")
    join_refusal = ""
    if request.method == "POST":
        match request.POST.get("way"):
            case "waive":
                waive_form = WaiveForm(request.POST, prefix="waive")
                done = _waive(request, view.session, waive_form)
            case "join":
                done, join_refusal = _join(request, view.session, request.POST.get("session", ""))
            case _:
                form = ReleaseForm(request.POST)
                done = _release(request, view.session, form)
        if done is not None:
            return done
    tx = view.tx
    reviewable = view.session.status == SessionStatus.IN_REVIEW
    frames = frames_of_session(tx) if tx else []
    return page(
        request,
        "portal/session_detail.html",
        {
            "view": view,
            "session": view.session,
            "tx": tx,
            "zone": view.time_zone,
            "steps": timeline_of(view, frames),
            "lines": explained(view.price) if view.price else [],
            "reasons": [reason_words(reason) for reason in tx.review_reasons] if tx else [],
            "curve": power_curve(tx) if tx else None,
            "frames": frames,
            "form": form if reviewable and allows(request.actor.role, "sessions.release") else None,
            "waive_form": waive_form,
            "joinable": [
                get_session_for(request.actor, str(other.pk), now=timezone.now())
                for other in sessions_a_stop_may_end(view.session)[:_MAX_JOINABLE]
            ],
            "join_refusal": join_refusal,
            "reviewable": reviewable,
            "room": "sessions",
        },
        status=400 if form.is_bound or waive_form.is_bound or join_refusal else 200,
    )


def _release(
    request: OperatorRequest, session: ChargingSession, form: ReleaseForm
) -> HttpResponse | None:
    if not form.is_valid():
        return None
    try:
        release_session(
            actor=request.actor,
            session=session,
            reason=form.cleaned_data["reason"],
            energy_wh=form.energy_wh,
            now=timezone.now(),
        )
    except NotAllowed:
        raise
    except (DomainError, ValueError) as error:
        show_refusal(form, error if isinstance(error, DomainError) else Conflict(str(error)))
        return None
    messages.success(request, _("The session is released and priced."))
    return redirect("session", id=session.pk)


def _waive(
    request: OperatorRequest, session: ChargingSession, form: WaiveForm
) -> HttpResponse | None:
    if not form.is_valid():
        return None
    try:
        waive_session(actor=request.actor, session=session, reason=form.cleaned_data["reason"])
    except NotAllowed:
        raise
    except DomainError as error:
        show_refusal(form, error)
        return None
    messages.success(request, _("The session is closed. Nothing is billed."))
    return redirect("session", id=session.pk)


def _join(
    request: OperatorRequest, session: ChargingSession, to_id: str
) -> tuple[HttpResponse | None, str]:
    """Where it leads, or why it was refused."""
    to = get_session_for(request.actor, to_id, now=timezone.now()).session
    try:
        join_session(actor=request.actor, session=session, to=to)
    except NotAllowed:
        raise
    except DomainError as error:
        return None, told(error.message)
    messages.success(request, _("The stop now belongs to this session, which is settled anew."))
    return redirect("session", id=to.pk), ""
