"""BootNotification.req (OCPP 1.6 §4.2)."""

import random
from typing import Any

from django.conf import settings

from cms.base.time import rfc3339
from stations.choices import RegistrationStatus
from stations.ingest.facts import BootReported
from stations.ocpp.context import CallContext, storable

RETRY_INTERVAL_S = 30
_WIRE_STATUS = {
    RegistrationStatus.ACCEPTED: "Accepted",
    RegistrationStatus.PENDING: "Pending",
    RegistrationStatus.REJECTED: "Rejected",
}


async def handle_boot_notification(context: CallContext, payload: dict[str, Any]) -> dict[str, Any]:
    """Keep what the station says of itself; answer with its registration status.

    The interval is spread by a tenth around the setting, so that a thousand stations that boot together do not
    beat together. Unaccepted stations are told when to ask again.
    """
    serial = payload.get("chargePointSerialNumber") or payload.get("chargeBoxSerialNumber") or ""
    boot = BootReported(
        station_id=context.station.id,
        at=context.received_at,
        vendor=storable(payload["chargePointVendor"], 50),
        model=storable(payload["chargePointModel"], 50),
        serial_number=storable(serial, 50),
        firmware_version=storable(payload.get("firmwareVersion") or "", 50),
    )
    [boot_count] = await context.record(boot)
    memory = context.memory
    memory.booted_at = context.received_at
    memory.boot_count = boot_count or memory.boot_count
    memory.registration = context.station.registration_status
    accepted = memory.registration == RegistrationStatus.ACCEPTED
    interval_s = settings.OCPP_HEARTBEAT_INTERVAL_S if accepted else RETRY_INTERVAL_S
    spread_s = interval_s // 10
    return {
        "status": _WIRE_STATUS[RegistrationStatus(memory.registration)],
        "currentTime": rfc3339(context.received_at),
        "interval": max(1, interval_s + random.randint(-spread_s, spread_s)),  # noqa: S311 - jitter
    }
