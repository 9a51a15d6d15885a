"""The team as the portal shows it: members, keys, and the audit log in words."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.choices import Role
from accounts.models import ApiKey, AuditEntry, Membership
from accounts.models.id_token import mask_uid
from accounts.selectors import audit_entries_for
from accounts.services.actors import Actor
from accounts.services.permissions import require
from accounts.services.teams import is_invited
from cms.base.ids import get_by_id
from cms.base.json import dumps
from cms.portal.recorder import who_did

ROLE_WORDS: dict[str, Any] = {
    Role.OWNER: gettext_lazy("Everything, the team and security included"),
    Role.MANAGER: gettext_lazy("Everything but the team's owners and lowering security"),
    Role.TECHNICIAN: gettext_lazy("Stations: commands and settings"),
    Role.SUPPORT: gettext_lazy("Drivers: cards, starting and stopping"),
    Role.FINANCE: gettext_lazy("Money: tariffs, reviews"),
    Role.VIEWER: gettext_lazy("Looks, changes nothing"),
}
_LONGEST_VALUE = 80


def _roles(roles: list[Role]) -> list[tuple[str, str]]:
    return [(role.value, f"{role.label} – {ROLE_WORDS[role]}") for role in roles]


class RoleForm(forms.Form):
    """Which role somebody has."""

    role = forms.ChoiceField(label=gettext_lazy("Role"), widget=forms.RadioSelect)

    def __init__(self, *args: Any, roles: list[Role] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"].choices = _roles(roles or list(Role))  # type: ignore[attr-defined]


class MemberForm(RoleForm):
    """Somebody new."""

    email = forms.EmailField(label=gettext_lazy("E-mail address"), max_length=254)
    name = forms.CharField(label=gettext_lazy("Name"), max_length=120, required=False)
    field_order = ("email", "name", "role")


class ApiKeyForm(RoleForm):
    """A key for a program."""

    name = forms.CharField(
        label=gettext_lazy("What it is for"),
        max_length=80,
        help_text=gettext_lazy("Such as “Monthly report”."),
    )
    field_order = ("name", "role")


@dataclass(frozen=True, slots=True)
class Member:
    """One of the team. `is_self` is whoever looks."""

    membership: Membership
    is_invited: bool
    is_self: bool

    @property
    def rights(self) -> Any:
        return ROLE_WORDS[self.membership.role]


def memberships_for(actor: Actor) -> QuerySet[Membership]:
    """The operator's team, each with the user."""
    return Membership.objects.filter(operator=actor.operator).select_related("user")


def get_membership_for(actor: Actor, public_id: str) -> Membership:
    """Raises NotFound for another operator's."""
    return get_by_id(memberships_for(actor), public_id)


def members_for(actor: Actor) -> list[Member]:
    """Owners first, then by name."""
    order = list(Role)
    rows = sorted(
        memberships_for(actor),
        key=lambda row: (order.index(Role(row.role)), (row.user.name or row.user.email).casefold()),
    )
    return [Member(row, is_invited(row.user), row.user == actor.user) for row in rows]


def api_keys_for(actor: Actor) -> QuerySet[ApiKey]:
    """The operator's keys, without what they open.

    Raises:
        NotAllowed: the role may not manage the team.
    """
    require(actor, "team.change")
    return ApiKey.objects.filter(operator=actor.operator)


class AuditFilterForm(forms.Form):
    """What the log is filtered by; what makes no sense filters nothing."""

    q = forms.CharField(label=gettext_lazy("Action"), required=False, max_length=64)
    who = forms.ChoiceField(label=gettext_lazy("Who"), required=False)
    object_type = forms.ChoiceField(label=gettext_lazy("What"), required=False)
    object_id = forms.CharField(label=gettext_lazy("Number"), required=False, max_length=64)
    since = forms.DateField(
        label=gettext_lazy("From"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    until = forms.DateField(
        label=gettext_lazy("To"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people = [
            (f"user-{row.user_id}", row.user.name or row.user.email)
            for row in memberships_for(actor)
        ]
        keys = [
            (f"key-{key.pk}", _("API key %(name)s") % {"name": key.name or key.prefix})
            for key in ApiKey.objects.filter(operator=actor.operator)
        ]
        anybody = [("", _("Anybody"))]
        self.fields["who"].choices = anybody + people + keys  # type: ignore[attr-defined]
        self.fields["object_type"].choices = [("", _("Anything")), *OBJECTS.items()]  # type: ignore[attr-defined]


OBJECTS: dict[str, Any] = {
    "charging_station": gettext_lazy("Station"),
    "location": gettext_lazy("Location"),
    "command": gettext_lazy("Command"),
    "charging_session": gettext_lazy("Session"),
    "id_token": gettext_lazy("Card"),
    "id_token_group": gettext_lazy("Group of cards"),
    "unknown_id_token": gettext_lazy("Unknown card"),
    "tariff": gettext_lazy("Tariff"),
    "tariff_assignment": gettext_lazy("Assignment of a tariff"),
    "handshake_failure": gettext_lazy("Refused handshake"),
    "membership": gettext_lazy("Member of the team"),
    "api_key": gettext_lazy("API key"),
    "operator": gettext_lazy("Operator"),
}
_VERBS: dict[str, Any] = {
    "create": gettext_lazy("added"),
    "update": gettext_lazy("changed"),
    "delete": gettext_lazy("removed"),
    "remove": gettext_lazy("removed"),
    "set": gettext_lazy("set"),
    "release": gettext_lazy("released from review"),
    "resolve": gettext_lazy("resolved"),
    "revoke": gettext_lazy("revoked"),
    "dismiss": gettext_lazy("dismissed"),
    "adopt": gettext_lazy("adopted"),
    "cancel": gettext_lazy("cancelled"),
    "invite": gettext_lazy("invited again"),
    "claim": gettext_lazy("claimed by its driver"),
    "block": gettext_lazy("blocked"),
}


@dataclass(frozen=True, slots=True)
class Change:
    """One field as it was and as it became; either is empty where there was none."""

    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class AuditView:
    """One row of the log in words."""

    entry: AuditEntry
    who: str
    what: Any
    verb: Any
    changes: list[Change]


def filtered_audit(actor: Actor, asked: dict[str, Any]) -> QuerySet[AuditEntry]:
    """The operator's log; `asked` are the form's sound fields. Raises NotAllowed."""
    entries = audit_entries_for(actor)
    zone = ZoneInfo(actor.operator.time_zone)
    if words := asked.get("q"):
        entries = entries.filter(action__icontains=words)
    kind, _dash, pk = (asked.get("who") or "").partition("-")
    if pk:
        entries = entries.filter(**{"user_id" if kind == "user" else "api_key_id": int(pk)})
    for name in ("object_type", "object_id"):
        if asked.get(name):
            entries = entries.filter(**{name: asked[name]})
    if day := _day(asked.get("since")):
        entries = entries.filter(at__gte=datetime.combine(day, time(), tzinfo=zone))
    if day := _day(asked.get("until")):
        entries = entries.filter(
            Q(at__lt=datetime.combine(day + timedelta(days=1), time(), tzinfo=zone))
        )
    return entries


def _day(day: date | None) -> date | None:
    return day if day and 1900 < day.year < 3000 else None


def audit_views(entries: list[AuditEntry]) -> list[AuditView]:
    """Each in words; an action without words shows its own."""
    return [_audit_view(entry) for entry in entries]


def _audit_view(entry: AuditEntry) -> AuditView:
    noun, _dot, verb = entry.action.rpartition(".")
    return AuditView(
        entry,
        who_did(entry),
        OBJECTS.get(entry.object_type, entry.object_type.replace("_", " ")),
        _VERBS.get(verb, entry.action if noun else verb),
        _changes(entry.before or {}, entry.after or {}),
    )


def _changes(before: Any, after: Any) -> list[Change]:
    if not isinstance(before, dict) or not isinstance(after, dict):
        return []
    changes = [
        Change(name, _shown(name, before.get(name)), _shown(name, after.get(name)))
        for name in {**before, **after}
    ]
    return [change for change in changes if change.before or change.after]


def _shown(name: str, value: Any) -> str:
    if value is None or value == "":
        return ""
    if name in ("uid", "id_token") and isinstance(value, str):
        return mask_uid(value)
    text = value if isinstance(value, str) else dumps(value)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"
