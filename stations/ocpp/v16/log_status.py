"""DiagnosticsStatusNotification.req (OCPP 1.6 §4.4), LogStatusNotification.req (Improved security for OCPP 1.6-J, N01)."""

from typing import Any

from stations.choices import LogStatus
from stations.maintenance.logs import report_log_status
from stations.ocpp.context import CallContext
from stations.ocpp.v16.firmware_status import wire_id_of

# Idle says that nothing is under way, and nothing of what was.
_MEANINGS = {
    "Uploading": LogStatus.UPLOADING,
    "Uploaded": LogStatus.UPLOADED,
    "UploadFailed": LogStatus.FAILED,
    "UploadFailure": LogStatus.FAILED,
    "BadMessage": LogStatus.FAILED,
    "NotSupportedOperation": LogStatus.FAILED,
    "PermissionDenied": LogStatus.FAILED,
}


async def handle_diagnostics_status(
    context: CallContext, payload: dict[str, Any]
) -> dict[str, Any]:
    """Answered once it is kept; it names no request."""
    await _report(context, payload, action="GetDiagnostics")
    return {}


async def handle_log_status(context: CallContext, payload: dict[str, Any]) -> dict[str, Any]:
    """The same for GetLog, with the requestId of its request."""
    await _report(context, payload, action="GetLog")
    return {}


async def _report(context: CallContext, payload: dict[str, Any], *, action: str) -> None:
    await context.apply(
        report_log_status,
        station_id=context.station.id,
        action=action,
        request_id=wire_id_of(payload),
        reported=payload["status"],
        status=_MEANINGS.get(payload["status"]),
        at=context.received_at,
    )
