"""Local authorisation lists in OCPP 1.6's words (§5.10, §5.15)."""

from collections.abc import Mapping, Sequence
from typing import Any

from accounts.services.authorization import Authorization
from stations.ocpp.v16.fields import id_tag_info
from stations.services.local_list_rules import Entry, Outcome, Sent

# CiString20Type (§7.28): a longer token cannot be said to a 1.6 station.
MAX_UID_LENGTH = 20


def entry_of(uid: str, authorization: Authorization) -> Entry:
    """How a station is to decide on a token by itself."""
    return {"idTag": uid, "idTagInfo": id_tag_info(authorization.status.value, authorization)}


def list_to_v16(entries: Sequence[Entry], *, is_full: bool) -> dict[str, Any]:
    """A SendLocalList.req without its version."""
    payload: dict[str, Any] = {"updateType": "Full" if is_full else "Differential"}
    return {**payload, "localAuthorizationList": list(entries)} if entries else payload


def list_from_v16(payload: Mapping[str, Any], outcome: Outcome) -> Sent:
    """What a SendLocalList.req asked for, and what came of it."""
    return Sent(
        version=payload["listVersion"],
        is_full=payload["updateType"] == "Full",
        entries=payload.get("localAuthorizationList") or [],
        outcome=outcome,
    )
