"""The team as the portal shows it: members and keys."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy

from accounts.choices import Role
from accounts.models import ApiKey, Membership
from accounts.services.actors import Actor
from accounts.services.permissions import require
from accounts.services.teams import is_invited
from cms.base.ids import get_by_id

ROLE_WORDS: dict[str, Any] = {
    Role.OWNER: gettext_lazy("Everything, the team and security included"),
    Role.MANAGER: gettext_lazy("Everything but the team's owners and lowering security"),
    Role.TECHNICIAN: gettext_lazy("Stations: commands and settings"),
    Role.SUPPORT: gettext_lazy("Drivers: cards, starting and stopping"),
    Role.FINANCE: gettext_lazy("Money: tariffs, reviews"),
    Role.VIEWER: gettext_lazy("Looks, changes nothing"),
}


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
