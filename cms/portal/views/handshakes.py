"""Refused handshakes: every station that was turned away, why, and what mends it."""

from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from cms.portal.access import OperatorRequest, operator_page
from cms.portal.pages import page, station_address
from cms.portal.paging import page_by_time
from cms.portal.remedies import advice_for, remedy_for
from stations.choices import HandshakeRefusal
from stations.selectors.handshakes import filter_handshake_failures, handshake_failures_for

_STATES = {"": False, "resolved": True, "all": None}


@require_GET
@operator_page
def handshake_list(request: OperatorRequest) -> HttpResponse:
    """Open ones first seen; `?state=`, `?reason=` and `?q=` filter, `?before=` turns the page."""
    state = request.GET.get("state", "")
    state = state if state in _STATES else ""
    reason = request.GET.get("reason", "")
    reason = reason if reason in HandshakeRefusal.values else ""
    q = request.GET.get("q", "").replace("\0", "").strip()
    before = request.GET.get("before", "")
    failures = filter_handshake_failures(
        handshake_failures_for(request.actor), reason=reason or None, resolved=_STATES[state]
    )
    if q:
        failures = failures.filter(identity__icontains=q)
    rows, following = page_by_time(failures, "last_at", before)
    return page(
        request,
        "portal/handshake_list.html",
        {
            "rows": [(row, advice_for(row), remedy_for(row)) for row in rows],
            "following": following,
            "before": before,
            "state": state,
            "states": [("", _("Open")), ("resolved", _("Resolved")), ("all", _("All"))],
            "reason": reason,
            "reasons": HandshakeRefusal.choices,
            "q": q,
            "is_filtered": bool(state or reason or q),
            "address": station_address(),
            "room": "handshakes",
        },
    )
