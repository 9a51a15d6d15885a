"""The local authorisation list as OCPP 1.6 §3.5.2 and §5.15 have it: cards that the station decides on by itself."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from .wire import Payload

if TYPE_CHECKING:
    from .commands import FollowUp, Handler
    from .station import VirtualStation

PROFILE = "LocalAuthListManagement"
NOT_SUPPORTED = -1


class LocalList:
    """One station's list. With `answer` set, it says that to whatever is sent and changes nothing."""

    def __init__(self, station: VirtualStation) -> None:
        self._station = station
        self.version = 0
        self.entries: dict[str, Payload] = {}
        self.answer: str | None = None

    @property
    def is_kept(self) -> bool:
        configuration = self._station.configuration
        return configuration.supports(PROFILE) and configuration.flag("LocalAuthListEnabled")

    def status_of(self, id_tag: str) -> str | None:
        """What the list says of a card; None where it says nothing."""
        info = self.entries.get(id_tag.casefold()) if self.is_kept else None
        if info is None:
            return None
        if "expiryDate" in info:
            expires_at = datetime.fromisoformat(str(info["expiryDate"]).upper())
            if (expires_at if expires_at.tzinfo else expires_at.replace(tzinfo=UTC)) <= (
                self._station.now()
            ):
                return "Expired"
        return str(info["status"])

    def take(self, version: int, update: str, listed: list[Payload]) -> str:
        """Keep a new list, or what changed; returns the answer (§7.44, UpdateStatus)."""
        if not self.is_kept:
            return "NotSupported"
        if self.answer is not None:
            return self.answer
        configuration = self._station.configuration
        if update == "Differential" and version <= self.version:
            return "VersionMismatch"
        entries = {} if update == "Full" else dict(self.entries)
        for item in listed:
            id_tag, info = str(item["idTag"]).casefold(), item.get("idTagInfo")
            if info is not None:
                entries[id_tag] = dict(info)
            elif update == "Full":
                return "Failed"
            else:
                entries.pop(id_tag, None)
        if len(listed) > configuration.integer("SendLocalListMaxLength"):
            return "Failed"
        if len(entries) > configuration.integer("LocalAuthListMaxLength"):
            return "Failed"
        self.version, self.entries = version, entries
        return "Accepted"


# --- commands ----------------------------------------------------------------------------------------


def handle_send_local_list(
    station: VirtualStation, payload: Payload
) -> tuple[Payload, FollowUp | None]:
    update = payload["updateType"]
    if update not in ("Full", "Differential"):
        raise ValueError(f"expected Full or Differential, got {update!r}")
    listed: list[Any] = payload.get("localAuthorizationList") or []
    status = station.local_list.take(int(payload["listVersion"]), update, listed)
    station.changed()
    return {"status": status}, None


def handle_get_version(
    station: VirtualStation, payload: Payload
) -> tuple[Payload, FollowUp | None]:
    kept = station.local_list.is_kept
    return {"listVersion": station.local_list.version if kept else NOT_SUPPORTED}, None


LOCAL_LIST: dict[str, Handler] = {
    "GetLocalListVersion": handle_get_version,
    "SendLocalList": handle_send_local_list,
}
