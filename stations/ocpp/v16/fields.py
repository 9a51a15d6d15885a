"""Pieces of 1.6 payloads that several actions share."""

from typing import Any

from accounts.services.authorization import Authorization
from cms.base.time import rfc3339
from stations.ocpp.context import CallContext, is_storable
from stations.ocpp.errors import CallRefused, ErrorCode

# Beyond this a connector number is a mistake; such statuses stay in the trace only.
MAX_CONNECTOR_ID = 999
MAX_WH = 2**53


def id_tag_info(status: str, authorization: Authorization | None = None) -> dict[str, Any]:
    """IdTagInfo with the token's expiry and group where it has them (OCPP 1.6 §7.27)."""
    info: dict[str, Any] = {"status": status}
    token = authorization.id_token if authorization else None
    if token is not None and token.expires_at is not None:
        info["expiryDate"] = rfc3339(token.expires_at)
    if token is not None and token.group is not None and len(token.group) <= 20:
        info["parentIdTag"] = token.group
    return info


def id_tag(context: CallContext, payload: dict[str, Any], name: str = "idTag") -> str:
    """The tag's number, without what a database cannot hold."""
    tag = str(payload.get(name, ""))
    return context.memory.quirks.normal_uid(tag) if is_storable(tag) else ""


def register_wh(name: str, value: int) -> int:
    """A meter register as an integer. Raises CallRefused beyond what any meter can show."""
    if abs(value) > MAX_WH:
        raise CallRefused(ErrorCode.PROPERTY_CONSTRAINT_VIOLATION, f"{name} is out of range.")
    return value
