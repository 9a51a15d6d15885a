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
from billing.sessions.services import release_session
from cms.base.errors import Conflict, DomainError, NotAllowed
from cms.portal.access import OperatorRequest, operator_page
from cms.portal.curve import power_curve
from cms.portal.export import csv_response
from cms.portal.forms import ReleaseForm
from cms.portal.looks import SESSION
from cms.portal.pages import page
from cms.portal.recorder import reason_words, timeline_of
from cms.portal.refusals import show_refusal
from cms.portal.session_list import EXPORT_HEAD, export_rows, read_filter, session_page
from cms.portal.sessions import get_session_for
from cms.portal.tariff_words import explained
from cms.portal.trace import frames_of_session


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
    """The flight recorder of one session; a POST releases it from review."""
    view = get_session_for(request.actor, id, now=timezone.now())
    form = ReleaseForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            release_session(
                actor=request.actor,
                session=view.session,
                reason=form.cleaned_data["reason"],
                energy_wh=form.energy_wh,
                now=timezone.now(),
            )
        except NotAllowed:
            raise
        except (DomainError, ValueError) as error:
            show_refusal(form, error if isinstance(error, DomainError) else Conflict(str(error)))
        else:
            messages.success(request, _("The session is released and priced."))
            return redirect("session", id=id)
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
            "reviewable": reviewable,
            "room": "sessions",
        },
        status=400 if form.is_bound else 200,
    )
