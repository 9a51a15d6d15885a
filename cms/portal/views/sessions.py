"""Sessions: the list, one with its price and its facts, and letting a reviewed one go on."""

from django.contrib import messages
from django.http import HttpResponse
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
from cms.portal.forms import ReleaseForm
from cms.portal.looks import SESSION
from cms.portal.pages import page
from cms.portal.refusals import show_refusal
from cms.portal.sessions import get_session_for, session_page_for
from cms.portal.trace import frames_of_session
from stations.choices import ReviewReason


@require_GET
@operator_page
def session_list(request: OperatorRequest) -> HttpResponse:
    """`?status=` and `?station=` filter, `?before=` turns the page."""
    status = request.GET.get("status", "")
    status = status if status in SessionStatus.values else ""
    station = request.GET.get("station", "").replace("\0", "")
    before = request.GET.get("before", "")
    sessions, next_before = session_page_for(
        request.actor, status=status, station=station, before=before, now=timezone.now()
    )
    return page(
        request,
        "portal/session_list.html",
        {
            "sessions": sessions,
            "next_before": next_before,
            "status": status,
            "station": station,
            "before": before,
            "statuses": SESSION.items(),
            "room": "sessions",
        },
    )


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
    return page(
        request,
        "portal/session_detail.html",
        {
            "view": view,
            "session": view.session,
            "tx": tx,
            "zone": view.time_zone,
            "reasons": [_sentence(reason) for reason in tx.review_reasons] if tx else [],
            "curve": power_curve(tx) if tx else None,
            "frames": frames_of_session(tx) if tx else [],
            "form": form if reviewable and allows(request.actor.role, "sessions.release") else None,
            "reviewable": reviewable,
            "room": "sessions",
        },
        status=400 if form.is_bound else 200,
    )


def _sentence(reason: str) -> str:
    return str(ReviewReason(reason).label) if reason in ReviewReason.values else reason
