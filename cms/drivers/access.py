"""Who stands before a driver's page: anybody, or the driver whose things it shows."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache

from accounts.models import Driver, User
from accounts.services.drivers import driver_of
from cms.base.errors import NotAllowed, NotFound


class DriverRequest(HttpRequest):
    """A request for a driver's page; `driver` is None for somebody who has not signed in."""

    driver: Driver | None
    htmx: Any


class SignedInRequest(DriverRequest):
    """A request that `driver_page` let through."""

    driver: Driver


def public_page(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """A page for everybody, which may know who asks. Never cached: what it shows changes by the second."""

    @never_cache
    @wraps(view)
    def wrapper(request: DriverRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        user = request.user
        request.driver = driver_of(user) if isinstance(user, User) else None
        try:
            return view(request, *args, **kwargs)
        except NotFound as error:
            raise Http404(error.message) from error
        except NotAllowed as error:
            raise PermissionDenied(error.message) from error

    return wrapper


def driver_page(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """A page of one driver's own things: signs in first. Who is no driver yet becomes one."""
    return login_required(public_page(view))


def page(
    request: DriverRequest, template: str, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    """The whole page, or, where a script asks for it again, the same template without its frame."""
    base = "driver/bare.html" if request.htmx else "base_driver.html"
    response = render(request, template, {"base": base} | context, status=status)
    patch_vary_headers(response, ["HX-Request"])
    return response


def way_back(request: HttpRequest, target: str) -> str:
    """`target` if it leads to one of our own pages, else nothing."""
    safe = url_has_allowed_host_and_scheme(
        target, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return target if safe else ""
