"""The security profile as a ratchet: it rises when the station has shown that it can, never by itself.

A profile that the station was asked to take (`offered_security_profile`, set by whoever sends the command) becomes
the row's once the station signs in that way. Until then the lower one goes on to work; afterwards it is refused.

Source: Improved security for OCPP 1.6-J, A05 (A05.FR.02 to A05.FR.06).
"""

from django.db import transaction

from accounts.services.actors import Actor
from accounts.services.audit import record_audit
from stations.choices import SecurityProfile
from stations.models import ChargingStation


@transaction.atomic
def raise_security_profile(*, station_id: int, reached: int) -> bool:
    """The station signed in on profile `reached`: hold it to the one it was asked for. Returns whether it rose.

    Idempotent. Without an offer that was reached, nothing changes.
    """
    station = (
        ChargingStation.objects.select_for_update(no_key=True, of=("self",))
        .select_related("operator")
        .filter(pk=station_id, offered_security_profile__lte=reached)
        .first()
    )
    if station is None or station.offered_security_profile is None:
        return False
    before, offered = station.security_profile, station.offered_security_profile
    station.offered_security_profile = None
    station.security_profile = max(before, offered)
    station.save(update_fields=["security_profile", "offered_security_profile"])
    if station.security_profile == before:
        return False
    record_audit(
        actor=Actor.system(station.operator),
        action="station.update",
        obj=station,
        before={"security_profile": SecurityProfile(before)},
        after={"security_profile": SecurityProfile(offered)},
    )
    return True
