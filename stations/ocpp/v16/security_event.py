"""SecurityEventNotification.req (Improved security for OCPP 1.6-J, A04)."""

from typing import Any

from stations.maintenance.security_events import note_security_event
from stations.ocpp.context import CallContext, storable


async def handle_security_event(context: CallContext, payload: dict[str, Any]) -> dict[str, Any]:
    """Acknowledged once it is kept; a station repeats what was not acknowledged."""
    await context.apply(
        note_security_event,
        station_id=context.station.id,
        type=storable(payload["type"], 50),
        at=context.device_time(payload["timestamp"]).effective_at,
        told_at=payload["timestamp"],
        tech_info=storable(payload.get("techInfo") or "", 255),
    )
    return {}
