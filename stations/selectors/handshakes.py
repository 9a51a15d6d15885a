"""Handshakes that were refused."""

from django.db.models import Q, QuerySet

from accounts.services.actors import Actor
from accounts.services.permissions import allows
from cms.base.ids import get_by_id
from stations.choices import HandshakeRefusal
from stations.models import HandshakeFailure

_NOBODYS = (HandshakeRefusal.UNKNOWN_IDENTITY, HandshakeRefusal.BAD_IDENTITY)


def handshake_failures_for(actor: Actor) -> QuerySet[HandshakeFailure]:
    """Refusals of the operator's own stations and, for who may adopt them, of nobody's: unknown identities, and
    addresses that end in none."""
    visible = Q(operator=actor.operator)
    if allows(actor.role, "handshakes.adopt"):
        visible |= Q(operator__isnull=True, reason__in=_NOBODYS)
    return HandshakeFailure.objects.filter(visible).select_related("station")


def get_handshake_failure_for(actor: Actor, public_id: str) -> HandshakeFailure:
    """Raises NotFound for another operator's, or where the role may not see it."""
    return get_by_id(handshake_failures_for(actor), public_id)


def filter_handshake_failures(
    failures: QuerySet[HandshakeFailure],
    *,
    identity: str | None = None,
    reason: str | None = None,
    resolved: bool | None = None,
) -> QuerySet[HandshakeFailure]:
    """Those of one identity, one reason, or open (`resolved` false) or done with."""
    if identity is not None:
        failures = failures.filter(identity=identity)
    if reason is not None:
        failures = failures.filter(reason=reason)
    if resolved is not None:
        failures = failures.filter(resolved_at__isnull=not resolved)
    return failures
