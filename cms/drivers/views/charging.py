"""A driver's sessions: beginning, running, billed."""

from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods

from billing.receipts.pdf import facts_of, receipt_pdf
from cms.base.errors import Conflict
from cms.drivers.access import SignedInRequest, driver_page, page
from cms.drivers.charging import get_start_for, stop_charging
from cms.drivers.places import outlet_of
from cms.drivers.sessions import (
    SessionView,
    get_receipt_for,
    get_session_for,
    live_of,
    running_sessions_of,
    session_page_of,
)


@require_GET
@driver_page
def start_progress(request: SignedInRequest, id: str) -> HttpResponse:
    """From the pressed button to the first Wh, or to the reason why not."""
    start = get_start_for(request.driver, id, now=timezone.now())
    if start.session is not None:
        return redirect("driver-session", id=start.session.pk)
    return page(
        request,
        "driver/start.html",
        {"start": start, "outlet": outlet_of(start.connector), "room": "sessions"},
    )


@require_GET
@driver_page
def session_list(request: SignedInRequest) -> HttpResponse:
    """What is running, then everything that was; `?before=` turns the page."""
    now = timezone.now()
    before = request.GET.get("before", "")
    sessions, next_before = session_page_of(request.driver, before=before, now=now)
    return page(
        request,
        "driver/session_list.html",
        {
            "running": [] if before else running_sessions_of(request.driver, now=now),
            "sessions": [view for view in sessions if not view.is_running],
            "next_before": next_before,
            "before": before,
            "room": "sessions",
        },
    )


@require_GET
@driver_page
def session_detail(request: SignedInRequest, id: str) -> HttpResponse:
    """The live session while it runs, its receipt once it is billed, and what lies between."""
    view = get_session_for(request.driver, id, now=timezone.now())
    context = {"view": view, "session": view.session, "room": "sessions"}
    if view.is_running:
        return page(request, "driver/session_live.html", context | {"live": live_of(view)})
    if view.stage == "billed":
        receipt = get_receipt_for(request.driver, id)
        facts = facts_of(receipt)
        return page(request, "driver/receipt.html", context | {"receipt": receipt, "facts": facts})
    return page(request, "driver/session_settling.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@driver_page
def session_stop(request: SignedInRequest, id: str) -> HttpResponse:
    """Asks once, then asks the station."""
    view = get_session_for(request.driver, id, now=timezone.now())
    if not view.is_running:
        return redirect("driver-session", id=id)
    if request.method == "POST":
        try:
            stop_charging(driver=request.driver, session=view.session, now=timezone.now())
        except Conflict as error:
            return _stop_page(request, view, refusal=error.message)
        return redirect("driver-session", id=id)
    return _stop_page(request, view)


def _stop_page(request: SignedInRequest, view: SessionView, refusal: str = "") -> HttpResponse:
    return page(
        request,
        "driver/session_stop.html",
        {"view": view, "refusal": refusal, "room": "sessions"},
        status=409 if refusal else 200,
    )


@require_GET
@driver_page
def receipt_file(request: SignedInRequest, id: str) -> HttpResponse:
    """The receipt as a PDF, to keep or to hand in."""
    receipt = get_receipt_for(request.driver, id)
    response = HttpResponse(receipt_pdf(receipt), content_type="application/pdf")
    response.headers["Content-Disposition"] = f'inline; filename="{receipt.filename}"'
    return response
