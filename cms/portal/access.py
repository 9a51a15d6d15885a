"""Who stands before a page: the member of a team on whose behalf it reads and changes."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.cache import never_cache

from accounts.models import Membership, User
from accounts.services.actors import Actor
from cms.base.errors import NotAllowed, NotFound

SESSION_KEY = "operator"


class OperatorRequest(HttpRequest):
    """A request that `operator_page` let through."""

    actor: Actor
    memberships: list[Membership]
    htmx: Any


def memberships_of(user: User) -> list[Membership]:
    """The teams that a user belongs to, by name; each with its operator and user."""
    rows = Membership.objects.filter(user=user).select_related("operator", "user")
    return sorted(rows, key=lambda membership: membership.operator.name.casefold())


def choose_membership(memberships: list[Membership], slug: str | None) -> Membership | None:
    """The team that was chosen last, else the first; None for somebody without a team."""
    chosen = (m for m in memberships if m.operator.slug == slug)
    return next(chosen, memberships[0] if memberships else None)


def operator_page(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """A page for members of a team: signs in, finds the team, sets `request.actor`.

    What a domain function does not find is a 404, what it does not allow a 403. Never cached.
    """

    @login_required
    @never_cache
    @wraps(view)
    def wrapper(request: OperatorRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        request.memberships = memberships_of(request.user)  # type: ignore[arg-type]
        membership = choose_membership(request.memberships, request.session.get(SESSION_KEY))
        if membership is None:
            return render(request, "portal/no_team.html", status=403)
        request.actor = Actor.from_membership(membership)
        try:
            return view(request, *args, **kwargs)
        except NotFound as error:
            raise Http404(error.message) from error
        except NotAllowed as error:
            raise PermissionDenied(error.message) from error

    return wrapper
