"""What every page of the portal needs beside its own data."""

from typing import Any, get_args

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers

from accounts.services.actors import Actor
from accounts.services.permissions import Capability, allows
from cms.portal.access import OperatorRequest


def page(
    request: OperatorRequest, template: str, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    """The whole page, or, where a script asks for it again, the same template without its frame."""
    shared = {
        "base": "portal/bare.html" if request.htmx else "base_operator.html",
        "actor": request.actor,
        "can": capabilities(request.actor),
        "memberships": request.memberships,
    }
    response = render(request, template, shared | context, status=status)
    patch_vary_headers(response, ["HX-Request"])
    return response


def capabilities(actor: Actor) -> dict[str, bool]:
    """What the actor may do, by the capability's name with `_` for the point, as templates want it."""
    return {
        capability.replace(".", "_"): allows(actor.role, capability)
        for capability in get_args(Capability)
    }


def station_address() -> str:
    """Where stations connect; each adds its identity."""
    return settings.BASE_URL.replace("http", "ws", 1) + "/ocpp/"
