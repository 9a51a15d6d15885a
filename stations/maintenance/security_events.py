"""Security events: told by stations, kept, and seen by somebody."""

import hashlib
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from accounts.services.actors import Actor
from accounts.services.audit import record_audit
from accounts.services.permissions import require
from stations.models import ChargingStation, SecurityEvent

# Improved security for OCPP 1.6-J, §7 (Security events): whether each is critical.
STANDARD_EVENTS = {
    "FirmwareUpdated": True,
    "FailedToAuthenticateAtCentralSystem": False,
    "CentralSystemFailedToAuthenticate": False,
    "SettingSystemTime": True,
    "StartupOfTheDevice": True,
    "ResetOrReboot": True,
    "SecurityLogWasCleared": True,
    "ReconfigurationOfSecurityParameters": False,
    "MemoryExhaustion": True,
    "InvalidMessages": False,
    "AttemptedReplayAttacks": False,
    "TamperDetectionActivated": True,
    "InvalidFirmwareSignature": False,
    "InvalidFirmwareSigningCertificate": False,
    "InvalidCentralSystemCertificate": False,
    "InvalidChargePointCertificate": False,
    "InvalidTLSVersion": False,
    "InvalidTLSCipherSuite": False,
}
# What we notice ourselves.
OWN_EVENTS = {"CertificateRequestRefused": False}


def is_critical(type: str) -> bool:
    """By the standard's list; whatever is not on it may matter, so it does."""
    return (STANDARD_EVENTS | OWN_EVENTS).get(type, True)


def note_security_event(
    *,
    station_id: int,
    type: str,
    at: datetime,
    tech_info: str = "",
    told_at: str | None = None,
) -> None:
    """Keep an event of a station. Idempotent: type, time and words make an event the same one.

    `told_at` is the time as the station wrote it; a repeated message repeats it. A station that is gone told nothing.

    Source: Improved security for OCPP 1.6-J, A04.
    """
    station = ChargingStation.objects.filter(pk=station_id).only("operator_id").first()
    if station is None:
        return
    moment = at.isoformat() if told_at is None else told_at
    print = hashlib.sha256(f"{moment}\n{tech_info}".encode()).hexdigest()
    SecurityEvent.objects.bulk_create(
        [
            SecurityEvent(
                operator_id=station.operator_id,
                station_id=station_id,
                type=type[:50],
                critical=is_critical(type),
                at=at,
                tech_info=tech_info[:255],
                event_key=f"{type[:50]}:{print}",
            )
        ],
        ignore_conflicts=True,
    )


@transaction.atomic
def acknowledge_security_event(
    *, event: SecurityEvent, acting: Actor, with_earlier: bool = False
) -> SecurityEvent:
    """Somebody has seen it: it asks for attention no more. Idempotent; the first to see it is kept.

    `with_earlier` takes along the station's earlier events of the same type.

    Raises:
        NotAllowed: the role may not act on stations.
    """
    require(acting, "stations.command")
    unseen = SecurityEvent.objects.filter(acknowledged_at=None, station_id=event.station_id)
    if with_earlier:
        unseen = unseen.filter(type=event.type, pk__lte=event.pk)
    else:
        unseen = unseen.filter(pk=event.pk)
    seen = unseen.update(acknowledged_at=timezone.now(), acknowledged_by=acting.user)
    event.refresh_from_db()
    if seen:
        record_audit(
            actor=acting,
            action="security_event.acknowledge",
            obj=event,
            after={"station": event.station.identity, "type": event.type, "events": seen},
        )
    return event
