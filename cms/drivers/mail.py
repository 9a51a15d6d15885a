"""Mails to drivers: what the outbox asks for, rendered in the reader's language and sent.

A row whose user is gone, or whose reason is over, sends nothing. A server that does not take the mail makes the row
due again.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from accounts.models import User
from accounts.services import drivers
from cms.base import outbox


@outbox.handler(drivers.CONFIRM_TOPIC)
def send_confirmation(key: str, payload: Mapping[str, Any]) -> None:
    """The link that proves the address."""
    user = User.objects.filter(pk=payload["user"]).first()
    if user is not None and drivers.awaits_proof(user):
        token = drivers.confirmation_token(user, payload["next"])
        _send(user, "confirm", _link("driver-confirm", token))


@outbox.handler(drivers.KNOWN_TOPIC)
def send_known(key: str, payload: Mapping[str, Any]) -> None:
    """Somebody registers an address that has an account: its owner may have forgotten."""
    user = User.objects.filter(pk=payload["user"], is_active=True).first()
    if user is not None:
        way_back = f"?{urlencode({'next': payload['next']})}" if payload["next"] else ""
        _send(user, "known", _link("login") + way_back)


@outbox.handler(drivers.RESET_TOPIC)
def send_password_reset(key: str, payload: Mapping[str, Any]) -> None:
    """The link that sets a new password; once used, or after a new password, it opens nothing."""
    user = User.objects.filter(pk=payload["user"], is_active=True).first()
    if user is not None:
        uid = urlsafe_base64_encode(force_bytes(user.pk))
        _send(
            user,
            "reset",
            _link("driver-password-set", uid, default_token_generator.make_token(user)),
        )


def _link(name: str, *args: str) -> str:
    return settings.BASE_URL + reverse(name, args=args)


def _send(user: User, kind: str, link: str) -> None:
    with translation.override(user.language or settings.LANGUAGE_CODE):
        context = {"user": user, "link": link, "reset_link": _link("driver-password")}
        subject = render_to_string(f"driver/mail/{kind}_subject.txt", context).strip()
        body = render_to_string(f"driver/mail/{kind}.txt", context)
    send_mail(" ".join(subject.split()), body, None, [user.email])
