"""Cards and tokens as the portal lists and edits them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.choices import IdTokenStatus, IdTokenType
from accounts.models import IdToken, IdTokenGroup
from accounts.models.id_token import fold_uid
from accounts.selectors import EXPIRED, effective_status, filter_id_tokens, id_tokens_for
from accounts.services.actors import Actor
from cms.portal.looks import Look

TOKEN: dict[str, Look] = {
    IdTokenStatus.ACCEPTED: Look(IdTokenStatus.ACCEPTED.label, "good", "check"),
    IdTokenStatus.BLOCKED: Look(IdTokenStatus.BLOCKED.label, "bad", "stop"),
    IdTokenStatus.INVALID: Look(IdTokenStatus.INVALID.label, "offline", "cross"),
    EXPIRED: Look(gettext_lazy("Expired"), "warn", "clock"),
}


@dataclass(frozen=True, slots=True)
class TokenView:
    """One token with its status as of now."""

    token: IdToken
    look: Look


def found_tokens(actor: Actor, *, q: str, status: str, group: str) -> QuerySet[IdToken]:
    """The operator's tokens by their whole uid or their driver, status as of now, and group.

    Uids are found whole: parts of them would give a card away digit by digit.
    """
    tokens = filter_id_tokens(
        id_tokens_for(actor).select_related("driver"), status=status or None, group=group or None
    )
    if q:
        tokens = tokens.filter(
            Q(uid_folded=fold_uid(q)) | Q(driver__name__icontains=q) | Q(driver__email__icontains=q)
        )
    return tokens


def token_views(tokens: list[IdToken], *, now: datetime) -> list[TokenView]:
    """Each with how it looks."""
    return [TokenView(token, TOKEN[effective_status(token, now)]) for token in tokens]


class TokenForm(forms.Form):
    """A token, new or changed. The uid of one that exists is not shown again and not changed."""

    uid = forms.CharField(
        label=gettext_lazy("Number of the card"),
        max_length=255,
        help_text=gettext_lazy(
            "As the reader sends it. Easier: hold the card to a station and accept it under Unknown cards."
        ),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    type = forms.ChoiceField(
        label=gettext_lazy("Kind"), choices=IdTokenType.choices, initial=IdTokenType.ISO14443
    )
    status = forms.ChoiceField(
        label=gettext_lazy("Status"), choices=IdTokenStatus.choices, initial=IdTokenStatus.ACCEPTED
    )
    expires_at = forms.DateTimeField(
        label=gettext_lazy("Valid until"),
        required=False,
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )
    group = forms.ModelChoiceField(
        label=gettext_lazy("Group"),
        queryset=IdTokenGroup.objects.none(),
        required=False,
        empty_label=gettext_lazy("No group"),
        help_text=gettext_lazy(
            "Cards of a group can end each other's sessions and may have a tariff of their own."
        ),
    )
    max_concurrent = forms.IntegerField(
        label=gettext_lazy("Sessions at one time"),
        required=False,
        min_value=1,
        max_value=32_767,
        help_text=gettext_lazy("Empty means any number."),
    )
    driver_email = forms.EmailField(
        label=gettext_lazy("Driver's e-mail address"),
        required=False,
        max_length=254,
        help_text=gettext_lazy("Who holds the card. Empty means nobody in particular."),
    )

    def __init__(
        self, *args: Any, groups: QuerySet[IdTokenGroup], zone: str, existing: bool, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._zone = ZoneInfo(zone)
        self.fields["group"].queryset = groups  # type: ignore[attr-defined]
        self.fields["expires_at"].help_text = _("Your operator's time, %(zone)s.") % {"zone": zone}
        if existing:
            del self.fields["uid"]

    def clean_uid(self) -> str:
        uid: str = self.cleaned_data["uid"]
        if len(fold_uid(uid)) > 255:
            raise ValidationError(_("This is too long."))
        return uid

    def clean_expires_at(self) -> datetime | None:
        """What was typed is wall-clock time of the operator; Django read it as the server's."""
        at: datetime | None = self.cleaned_data["expires_at"]
        return at.replace(tzinfo=self._zone) if at else None

    def asked(self, token: IdToken | None = None) -> dict[str, Any]:
        """The fields for the service; the driver only where another address was given."""
        data = dict(self.cleaned_data)
        data["group"] = data["group"].name if data["group"] else None
        if token is not None and (data["driver_email"] or "") == email_of(token):
            del data["driver_email"]
        return data


def initial_of(token: IdToken, zone: str) -> dict[str, Any]:
    """The form of a token that exists."""
    expires_at = token.expires_at.astimezone(ZoneInfo(zone)) if token.expires_at else None
    return {
        "type": token.type,
        "status": token.status,
        "expires_at": expires_at.replace(tzinfo=None) if expires_at else None,
        "group": token.group_id,
        "max_concurrent": token.max_concurrent,
        "driver_email": email_of(token),
    }


def email_of(token: IdToken) -> str:
    """The address of a token's driver, or ""."""
    driver = token.driver
    if driver is None:
        return ""
    return driver.email or (driver.user.email if driver.user else "")


class GroupForm(forms.Form):
    """A group of tokens."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=20)
    master = forms.BooleanField(
        label=gettext_lazy("Master group"),
        required=False,
        help_text=gettext_lazy(
            "Its cards can end anybody's session, such as those of your own technicians."
        ),
    )

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if not name.isascii() or not name.isprintable():
            raise ValidationError(_("Stations read printable ASCII only."))
        return name
