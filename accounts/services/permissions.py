"""What each role may do: one table, asked by every domain function that changes something.

Reading is every role's; what a role may not read has a capability of its own.
"""

from typing import Literal, get_args

from django.utils.translation import gettext as _

from accounts.choices import Role
from accounts.services.actors import Actor
from cms.base.errors import NotAllowed

Capability = Literal[
    "read",
    "audit.read",
    "handshakes.adopt",
    "locations.change",
    "money.change",
    "sessions.release",
    "stations.change",
    "stations.command",
    "stations.lower_security",
    "tariffs.change",
    "tariffs.force",
    "team.change",
    "team.ownership",
    "tokens.change",
    "transactions.start_stop",
]

_VIEWER: frozenset[Capability] = frozenset({"read"})
_SUPPORT: frozenset[Capability] = _VIEWER | {"tokens.change", "transactions.start_stop"}
_TECHNICIAN: frozenset[Capability] = _VIEWER | {
    "stations.change",
    "stations.command",
    "transactions.start_stop",
}
_FINANCE: frozenset[Capability] = _VIEWER | {"money.change", "sessions.release", "tariffs.change"}
_OWNER: frozenset[Capability] = frozenset(get_args(Capability))
_MANAGER: frozenset[Capability] = _OWNER - {
    "stations.lower_security",
    "tariffs.force",
    "team.ownership",
}

CAPABILITIES: dict[Role, frozenset[Capability]] = {
    Role.VIEWER: _VIEWER,
    Role.SUPPORT: _SUPPORT,
    Role.TECHNICIAN: _TECHNICIAN,
    Role.FINANCE: _FINANCE,
    Role.MANAGER: _MANAGER,
    Role.OWNER: _OWNER,
}


def allows(role: str, capability: Capability) -> bool:
    """Whether `role` carries `capability`. An unknown role carries none."""
    return role in CAPABILITIES and capability in CAPABILITIES[Role(role)]


def require(actor: Actor, capability: Capability) -> None:
    """Pass, or refuse.

    Raises:
        NotAllowed: the actor's role is too low; `data` names the role and what it lacks.
    """
    if not allows(actor.role, capability):
        raise NotAllowed(
            _("The role %(role)s may not do this.") % {"role": actor.role.value},
            data={"role": actor.role.value, "needs": capability},
        )
