"""Security events as an operator's people and programs see them."""

from django.db.models import QuerySet

from accounts.services.actors import Actor
from cms.base.ids import get_by_id
from stations.models import SecurityEvent


def security_events_for(actor: Actor) -> QuerySet[SecurityEvent]:
    """The operator's events, the latest first, each with its station."""
    return SecurityEvent.objects.filter(operator=actor.operator).select_related("station")


def get_security_event_for(actor: Actor, public_id: str) -> SecurityEvent:
    """Raises NotFound for another operator's."""
    return get_by_id(security_events_for(actor), public_id)


def filter_security_events(
    events: QuerySet[SecurityEvent],
    *,
    station: str | None = None,
    type: str | None = None,
    critical: bool | None = None,
    acknowledged: bool | None = None,
) -> QuerySet[SecurityEvent]:
    """`station` is an identity."""
    if station is not None:
        events = events.filter(station__identity=station)
    if type is not None:
        events = events.filter(type=type)
    if critical is not None:
        events = events.filter(critical=critical)
    if acknowledged is not None:
        events = events.filter(acknowledged_at__isnull=not acknowledged)
    return events
