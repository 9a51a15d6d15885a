"""Messages that report something and ask nothing: kept in the trace and acknowledged.

FirmwareStatusNotification and DiagnosticsStatusNotification (OCPP 1.6 §4.4, §4.5); LogStatusNotification and SignedFirmwareStatusNotification (Improved security for OCPP 1.6-J, §4).
"""

from typing import Any

from stations.ocpp.context import CallContext


async def handle_notice(context: CallContext, payload: dict[str, Any]) -> dict[str, Any]:
    """Acknowledged once the message is stored."""
    await context.record()
    return {}
