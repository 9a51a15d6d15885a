"""The living page of the design system: every component in every state, for those who build pages."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from cms.portal import design
from cms.portal.access import memberships_of
from cms.portal.looks import COMMAND, CONNECTOR, OFFLINE, ONLINE, SESSION, UNREPORTED


@require_GET
@login_required
def design_page(request: HttpRequest) -> HttpResponse:
    """Platform staff only; shows samples, so no operator's data is read."""
    if not request.user.is_staff:
        raise PermissionDenied(_("The design page is for platform staff."))
    if request.GET.get("part") == "confirm":
        return render(request, "portal/design/confirm.html", _frame(request) | _question())
    return render(request, "portal/design/page.html", _frame(request) | _samples())


def _frame(request: HttpRequest) -> dict[str, Any]:
    memberships = memberships_of(request.user)  # type: ignore[arg-type]
    return {"memberships": memberships[:1], "room": "design"}


def _question() -> dict[str, Any]:
    return {
        "title": _("Restart the station?"),
        "about": "CP-0042",
        "effects": [
            _("The running charge of Ada Example ends and is billed up to now."),
            _("The station is unreachable for about two minutes."),
        ],
        "button": _("Restart"),
        "dangerous": True,
        "cancel_href": "?",
    }


def _samples() -> dict[str, Any]:
    light, _dark = design.colours_of_tokens()
    return {
        "swatches": list(light),
        "contrasts": design.contrasts(),
        "looks": [
            (_("Connection"), [ONLINE, OFFLINE, UNREPORTED]),
            (_("Connector"), list(CONNECTOR.values())),
            (_("Session"), list(SESSION.values())),
            (_("Command"), list(COMMAND.values())),
        ],
        "evses": design.sample_evses(),
        "steps": design.sample_timeline(),
        "form": design.SampleForm(),
        "wrong_form": design.SampleForm({}, auto_id="wrong_%s"),
        "tabs": [
            {"href": "#tabs", "word": _("Sessions"), "current": True, "count": 12},
            {"href": "#tabs", "word": _("Messages"), "count": None},
            {"href": "#tabs", "word": _("Configuration"), "count": 84},
            {"href": "#tabs", "word": _("Commands"), "count": 0},
        ],
        "icons": [
            "mark", "dot", "ring", "bolt", "pause", "stop", "play", "clock", "flag", "warning", "check",
            "cross", "in", "out", "chevron", "copy", "search", "plug", "card", "receipt", "plus", "pin",
            "user",
        ],
    }  # fmt: skip
