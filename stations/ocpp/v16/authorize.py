"""Authorize.req (OCPP 1.6 §4.1)."""

from typing import Any

from stations.ocpp.context import CallContext
from stations.ocpp.v16.fields import id_tag_info


async def handle_authorize(context: CallContext, payload: dict[str, Any]) -> dict[str, Any]:
    """Answer whether the tag may charge; a tag that nobody knows is kept for adoption."""
    uid = payload["idTag"]
    authorization = await context.authorize(uid)
    await context.record(*context.unknown_token(uid, authorization))
    return {"idTagInfo": id_tag_info(authorization.status, authorization)}
