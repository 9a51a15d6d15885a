"""Numbers that we choose and stations repeat: reservationId, requestId, chargingProfileId, listVersion."""

from collections.abc import Mapping
from typing import Any

from django.db import connection

from stations.choices import CommandStatus
from stations.models import ChargingStation, Command, LocalList

# (action, where the payload keeps the id); a name in between is filled in only where its object is given.
_PLACES: Mapping[str, tuple[str, ...]] = {
    "ReserveNow": ("reservationId",),
    "GetLog": ("requestId",),
    "SignedUpdateFirmware": ("requestId",),
    "SetChargingProfile": ("csChargingProfiles", "chargingProfileId"),
    "RemoteStartTransaction": ("chargingProfile", "chargingProfileId"),
}

_UNDECIDED_READ = 50
_INT_MAX = 2**31 - 1


def next_wire_id() -> int:
    """A number of 1 to 2^31 - 1 that no station was given for a very long time."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('stations_wire_id')")
        return int(cursor.fetchone()[0])


def fill_in_ids(
    station: ChargingStation, action: str, payload: Mapping[str, Any]
) -> dict[str, Any]:
    """A copy of a request in which the ids that are ours to choose are there; given ones are kept.

    Source: REST.md, Commands.
    """
    filled = dict(payload)
    if action == "SendLocalList" and "listVersion" not in filled:
        filled["listVersion"] = next_list_version(station)
    if action in _PLACES:
        *path, name = _PLACES[action]
        holder = filled
        for step in path:
            if not isinstance(holder.get(step), Mapping):
                return filled
            holder[step] = dict(holder[step])
            holder = holder[step]
        if name not in holder:
            holder[name] = next_wire_id()
    return filled


def next_list_version(station: ChargingStation) -> int:
    """Greater than any that the station's list has or may have yet, and never less than 1 (OCPP 1.6 §5.15).

    What waits, is out, or got no answer may still become the station's version.
    """
    known = LocalList.objects.filter(station=station).values_list("version", flat=True).first()
    undecided = Command.objects.filter(
        station=station,
        action="SendLocalList",
        status__in=(CommandStatus.QUEUED, CommandStatus.SENT, CommandStatus.TIMED_OUT),
    ).order_by("-pk")[:_UNDECIDED_READ]
    versions: list[int] = [command.payload["listVersion"] for command in undecided]
    return min(max(known or 0, 0, *versions), _INT_MAX - 1) + 1
