"""DataTransfer.req (OCPP 1.6 §4.3)."""

from typing import Any

from stations.ocpp.context import CallContext


async def handle_data_transfer(context: CallContext, payload: dict[str, Any]) -> dict[str, Any]:
    """Kept in the trace; Magetsi agreed on no vendor's extension, so none is known."""
    await context.record()
    return {"status": "UnknownVendorId"}
