"""The trace of a station: its frames, in and out, secrets masked."""

from datetime import datetime

from django.db.models import QuerySet

from stations.models import ChargingStation, OcppMessage


def messages_of(
    station: ChargingStation,
    *,
    action: str | None = None,
    direction: str | None = None,
    since: datetime | None = None,
) -> QuerySet[OcppMessage]:
    """The station's frames; with `since`, only the partitions from then on are read."""
    messages = OcppMessage.objects.filter(station_id=station.pk)
    if action is not None:
        messages = messages.filter(action=action)
    if direction is not None:
        messages = messages.filter(direction=direction)
    if since is not None:
        messages = messages.filter(at__gte=since)
    return messages
