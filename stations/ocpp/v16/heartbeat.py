"""Heartbeat.req (OCPP 1.6 §4.6)."""

from typing import Any

from cms.base.time import rfc3339
from stations.ocpp.context import CallContext


async def handle_heartbeat(context: CallContext, payload: dict[str, Any]) -> dict[str, Any]:
    """Answered from memory; that the station was seen is written with the next batch."""
    return {"currentTime": rfc3339(context.received_at)}
