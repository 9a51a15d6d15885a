"""Signing in and out, and where one lands."""

from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_POST

from cms.portal.access import SESSION_KEY, OperatorRequest, operator_page


class SignIn(LoginView):
    """The door; who is signed in already goes straight on."""

    template_name = "portal/login.html"
    redirect_authenticated_user = True


@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """The front door leads to the team's overview, by way of the sign-in for strangers."""
    return redirect("operator")


@require_POST
@operator_page
def switch_operator(request: OperatorRequest) -> HttpResponse:
    """Look at another of one's teams from now on; one that is not one's own changes nothing."""
    slug = request.POST.get("operator", "")
    if any(membership.operator.slug == slug for membership in request.memberships):
        request.session[SESSION_KEY] = slug
    target = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(
        target, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return redirect(target if safe else "operator")
