"""StatusNotification.req (OCPP 1.6 §4.9)."""

from typing import Any

from stations.ingest.facts import StatusReported
from stations.ocpp.context import CallContext, storable
from stations.ocpp.v16.fields import MAX_CONNECTOR_ID


async def handle_status_notification(
    context: CallContext, payload: dict[str, Any]
) -> dict[str, Any]:
    """Keep the status as reported; the latest received counts, whatever its timestamp says.

    Connector 0 is the station itself. A number that no station can have stays in the trace.
    """
    connector_id = payload["connectorId"]
    if not 0 <= connector_id <= MAX_CONNECTOR_ID:
        await context.record()
        return {}
    time = context.device_time(payload.get("timestamp"))
    await context.record(
        StatusReported(
            station_id=context.station.id,
            evse_id=connector_id,
            connector_id=min(connector_id, 1),
            status=payload["status"],
            error_code=payload["errorCode"],
            vendor_error_code=storable(payload.get("vendorErrorCode") or "", 50),
            info=storable(payload.get("info") or "", 255),
            status_at=time.effective_at,
        )
    )
    return {}
