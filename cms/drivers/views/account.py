"""Registering, proving one's address, a forgotten password, and one's account."""

from typing import Any

from django.contrib.auth import login
from django.contrib.auth.views import PasswordResetConfirmView
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse_lazy
from django.utils.translation import get_language
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods

from accounts.models import User
from accounts.services import drivers
from cms.base.errors import Conflict, Invalid
from cms.drivers.access import (
    DriverRequest,
    SignedInRequest,
    driver_page,
    page,
    public_page,
    way_back,
)
from cms.drivers.forms import EmailForm, RegisterForm

BACKEND = "django.contrib.auth.backends.ModelBackend"


@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
@public_page
def register(request: DriverRequest) -> HttpResponse:
    """A new account; `next` is where the person was going, and survives the mail."""
    target = way_back(request, request.POST.get("next") or request.GET.get("next", ""))
    if request.driver is not None:
        return redirect(target or "driver-sessions")
    form = RegisterForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        try:
            drivers.register_driver(
                **form.cleaned_data, language=get_language() or "", next_path=target
            )
        except Invalid as error:
            for field, sentences in error.data["fields"].items():
                form.add_error(field, sentences)
        else:
            return redirect("driver-mail-sent")
    return page(
        request,
        "driver/register.html",
        {"form": form, "next": target, "room": "account"},
        status=400 if form.is_bound else 200,
    )


@require_GET
@public_page
def mail_sent(request: DriverRequest) -> HttpResponse:
    """The same for every address, known or not."""
    return page(request, "driver/mail_sent.html", {"room": "account"})


@require_http_methods(["GET", "HEAD", "POST"])
@public_page
def resend(request: DriverRequest) -> HttpResponse:
    """The proof's mail once more."""
    return _mail_form(request, "driver/resend.html", drivers.resend_confirmation)


@require_http_methods(["GET", "HEAD", "POST"])
@public_page
def password_reset(request: DriverRequest) -> HttpResponse:
    """A link to a new password, by mail."""
    return _mail_form(request, "driver/password_reset.html", drivers.request_password_reset)


def _mail_form(request: DriverRequest, template: str, send: Any) -> HttpResponse:
    form = EmailForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        send(email=form.cleaned_data["email"])
        return redirect("driver-mail-sent")
    status = 400 if form.is_bound else 200
    return page(request, template, {"form": form, "room": "account"}, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@public_page
def confirm(request: DriverRequest, token: str) -> HttpResponse:
    """Where the mail's link leads: only the button opens the account, for mail filters follow links, too."""
    try:
        if request.method == "POST":
            confirmed = drivers.confirm_address(token=token)
            login(request, confirmed.user, backend=BACKEND)
            return redirect(way_back(request, confirmed.next_path) or "sites")
        confirmed = drivers.read_confirmation(token)
    except Conflict as error:
        return page(
            request,
            "driver/dead_link.html",
            {"reason": error.message, "room": "account"},
            status=410,
        )
    return page(request, "driver/confirm.html", {"email": confirmed.user.email, "room": "account"})


class PasswordSet(PasswordResetConfirmView):
    """Where the reset's link leads. Django takes the token out of the address before it shows the form."""

    template_name = "driver/password_set.html"
    success_url = reverse_lazy("driver-password-done")
    extra_context = {"base": "base_driver.html", "room": "account"}


@require_GET
@public_page
def password_done(request: DriverRequest) -> HttpResponse:
    return page(request, "driver/password_done.html", {"room": "account"})


@require_GET
@driver_page
def account(request: SignedInRequest) -> HttpResponse:
    """Who one is here, and the way out."""
    assert isinstance(request.user, User)  # noqa: S101 - `driver_page`
    return page(request, "driver/account.html", {"person": request.user, "room": "account"})
