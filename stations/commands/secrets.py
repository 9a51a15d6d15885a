"""Secrets inside OCPP payloads: never shown, never kept longer than the station needs them."""

from collections.abc import Mapping
from typing import Any

from stations.maintenance import links

MASK = links.MASK
SECRET_KEYS = frozenset({"authorizationkey", "basicauthpassword"})
_WITH_LINKS = frozenset({"GetDiagnostics", "GetLog", "SignedUpdateFirmware", "UpdateFirmware"})


def is_secret_key(key: object) -> bool:
    """Whether a configuration key or variable holds a credential."""
    return isinstance(key, str) and key.casefold() in SECRET_KEYS


def mask_payload(action: str, payload: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a request or response with credentials masked."""
    masked = dict(payload)
    if action == "ChangeConfiguration" and is_secret_key(masked.get("key")):
        masked["value"] = MASK
    if action == "GetConfiguration" and isinstance(masked.get("configurationKey"), list):
        masked["configurationKey"] = [
            {**item, "value": MASK}
            if isinstance(item, dict) and is_secret_key(item.get("key")) and "value" in item
            else item
            for item in masked["configurationKey"]
        ]
    if action in _WITH_LINKS:
        masked = _with_masked_links(masked)
    return masked


def _with_masked_links(payload: Mapping[str, Any]) -> dict[str, Any]:
    """A copy in which links of ours, for uploads and downloads, have lost their secrets."""
    return {
        name: _with_masked_links(value)
        if isinstance(value, Mapping)
        else links.mask_location(value)
        if isinstance(value, str)
        else value
        for name, value in payload.items()
    }


def offered_profile(action: str, payload: Mapping[str, Any]) -> int | None:
    """The security profile that a request asks a station to take; None if it is about something else."""
    if action != "ChangeConfiguration" or str(payload.get("key")).casefold() != "securityprofile":
        return None
    value = str(payload.get("value", "")).strip()
    return int(value) if value in ("1", "2", "3") else None


def authorization_key_bytes(value: str) -> bytes:
    """The bytes a station sends once it holds this AuthorizationKey.

    The value on the wire is hexadecimal for 16 to 20 bytes (OCPP-J 1.6 errata 3.10); any other text stands for
    itself.
    """
    if 32 <= len(value) <= 40 and len(value) % 2 == 0:
        try:
            return bytes.fromhex(value)
        except ValueError:
            pass
    return value.encode()
