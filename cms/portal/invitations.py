"""Mails to people who were taken into a team, sent by the worker."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from accounts.models import Membership, User
from accounts.services.teams import INVITED_TOPIC, is_invited
from cms.base import outbox


@outbox.handler(INVITED_TOPIC)
def send_invitation(key: str, payload: Mapping[str, Any]) -> None:
    """A link to set a password for somebody new, else the way to the sign-in. Whoever left meanwhile gets none."""
    membership = (
        Membership.objects.filter(pk=payload["membership"], user__is_active=True)
        .select_related("user", "operator")
        .first()
    )
    if membership is None:
        return
    user = membership.user
    is_new = is_invited(user)
    with translation.override(user.language or settings.LANGUAGE_CODE):
        context = {
            "membership": membership,
            "is_new": is_new,
            "link": settings.BASE_URL + (_join_path(user) if is_new else reverse("operator")),
            "days": settings.PASSWORD_RESET_TIMEOUT // 86_400,
        }
        subject = render_to_string("portal/mail/invitation_subject.txt", context)
        body = render_to_string("portal/mail/invitation.txt", context)
    send_mail(" ".join(subject.split()), body, None, [user.email])


def _join_path(user: User) -> str:
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    return reverse("join", args=[uid, default_token_generator.make_token(user)])
