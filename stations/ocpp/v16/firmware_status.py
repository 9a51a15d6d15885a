"""FirmwareStatusNotification.req (OCPP 1.6 §4.5) and its signed sister (Improved security for OCPP 1.6-J, L01)."""

from typing import Any

from stations.maintenance.firmware import report_firmware_status
from stations.ocpp.context import CallContext

# Within the column, and no request's.
_NOBODYS = -(2**31)


async def handle_firmware_status(context: CallContext, payload: dict[str, Any]) -> dict[str, Any]:
    """Answered once it is kept; it names no update."""
    await _report(context, payload, is_signed=False)
    return {}


async def handle_signed_firmware_status(
    context: CallContext, payload: dict[str, Any]
) -> dict[str, Any]:
    """The same with the requestId of its update."""
    await _report(context, payload, is_signed=True)
    return {}


async def _report(context: CallContext, payload: dict[str, Any], *, is_signed: bool) -> None:
    await context.apply(
        report_firmware_status,
        station_id=context.station.id,
        is_signed=is_signed,
        request_id=wire_id_of(payload),
        status=payload["status"],
        at=context.received_at,
    )


def wire_id_of(payload: dict[str, Any]) -> int | None:
    """The requestId; None without one."""
    request_id = payload.get("requestId")
    if request_id is None:
        return None
    return int(request_id) if _NOBODYS < request_id < 2**31 else _NOBODYS
