"""What a 1.6 station answers to each command, and what it does afterwards.

A handler returns the answer and, if there is more to do, a function to run once the answer is out.
Missing or mistyped fields raise KeyError, TypeError or ValueError, which become a CALLERROR.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from .configuration import decode_authorization_key
from .local_list import LOCAL_LIST
from .memory import LocalTransaction
from .reservations import RESERVATIONS
from .security import SECURITY
from .smart_charging import SMART_CHARGING, TX, read_profile
from .upkeep import UPKEEP
from .wire import Payload

if TYPE_CHECKING:
    from .outlet import Outlet
    from .station import VirtualStation

FollowUp = Callable[[], Coroutine[Any, Any, Any]]
Handler = Callable[["VirtualStation", Payload], tuple[Payload, FollowUp | None]]

VENDOR_ID = "org.magetsi"


def handle_remote_start(
    station: VirtualStation, payload: Payload
) -> tuple[Payload, FollowUp | None]:
    """Accepted if an outlet is free; the car may come within ConnectionTimeOut."""
    id_tag = _text(payload["idTag"])
    wanted = payload.get("connectorId")
    candidates = [
        o
        for o in station.outlets.values()
        if wanted in (None, o.connector_id) and not station.reservations.refuses(o, id_tag)
    ]
    # A car that is already plugged in is the likeliest to be meant.
    free = sorted((o for o in candidates if o.is_free), key=lambda o: not o.is_plugged)
    if not free or not station.accepted:
        return {"status": "Rejected"}, None
    outlet = free[0]
    profile = payload.get("chargingProfile")
    if profile is not None and read_profile(outlet.connector_id, profile).purpose != TX:
        return {"status": "Rejected"}, None

    async def begin() -> None:
        asks = station.configuration.flag("AuthorizeRemoteTxRequests")
        if asks and await station.authorize(id_tag) != "Accepted":
            return
        if outlet.is_free and not station.reservations.refuses(outlet, id_tag):
            station.smart_charging.await_transaction(outlet.connector_id, profile)
            await outlet.authorize(id_tag)
            if station.on_remote_start is not None:
                station.on_remote_start(outlet)

    return {"status": "Accepted"}, begin


def handle_remote_stop(
    station: VirtualStation, payload: Payload
) -> tuple[Payload, FollowUp | None]:
    transaction_id = _integer(payload["transactionId"])
    for outlet in station.outlets.values():
        tx = outlet.tx
        if tx is not None and tx.transaction_id == transaction_id:
            return {"status": "Accepted"}, _end(outlet, tx, "Remote")
    return {"status": "Rejected"}, None


def handle_reset(station: VirtualStation, payload: Payload) -> tuple[Payload, FollowUp | None]:
    kind = _one_of(payload["type"], "Soft", "Hard")
    return {"status": "Accepted"}, lambda: station.restart(f"{kind}Reset")


def handle_unlock(station: VirtualStation, payload: Payload) -> tuple[Payload, FollowUp | None]:
    """A running transaction ends first (OCPP 1.6 §5.18)."""
    outlet = station.outlets.get(_integer(payload["connectorId"]))
    if outlet is None:
        return {"status": "NotSupported"}, None
    tx = outlet.tx
    return {"status": "Unlocked"}, _end(outlet, tx, "UnlockCommand") if tx is not None else None


def handle_change_availability(
    station: VirtualStation, payload: Payload
) -> tuple[Payload, FollowUp | None]:
    """Scheduled while a transaction runs; it takes effect at the end (OCPP 1.6 §5.2)."""
    connector_id = _integer(payload["connectorId"])
    operative = _one_of(payload["type"], "Inoperative", "Operative") == "Operative"
    if connector_id != 0 and connector_id not in station.outlets:
        return {"status": "Rejected"}, None
    outlets = [o for o in station.outlets.values() if connector_id in (0, o.connector_id)]

    async def apply() -> None:
        if connector_id == 0:
            await station.set_operative(operative)
        for outlet in outlets:
            await outlet.set_operative(operative)

    scheduled = not operative and any(outlet.tx is not None for outlet in outlets)
    return {"status": "Scheduled" if scheduled else "Accepted"}, apply


def handle_get_configuration(
    station: VirtualStation, payload: Payload
) -> tuple[Payload, FollowUp | None]:
    return station.configuration.read(payload.get("key") or ()), None


def handle_change_configuration(
    station: VirtualStation, payload: Payload
) -> tuple[Payload, FollowUp | None]:
    key, value = _text(payload["key"]), _text(payload["value"])
    if key == "AuthorizationKey":
        if decode_authorization_key(value) is None:
            return {"status": "Rejected"}, None
        return {"status": "Accepted"}, lambda: station.set_authorization_key(value)
    if key == "SecurityProfile":
        status = station.security.rise(value)
        if status == "Accepted":
            station.configuration.set(key, value)
        return {"status": status}, station.security.redial if status == "Accepted" else None
    status = station.configuration.change(key, value)
    station.changed()
    return {"status": status}, None


def handle_clear_cache(
    station: VirtualStation, payload: Payload
) -> tuple[Payload, FollowUp | None]:
    station.authorization_cache.clear()
    return {"status": "Accepted"}, None


def handle_trigger_message(
    station: VirtualStation, payload: Payload
) -> tuple[Payload, FollowUp | None]:
    """The message follows the answer (OCPP 1.6 §5.17)."""
    requested = _text(payload["requestedMessage"])
    connector_id = payload.get("connectorId")
    if connector_id is not None and connector_id not in (0, *station.outlets):
        return {"status": "Rejected"}, None
    outlets = [o for o in station.outlets.values() if connector_id in (None, 0, o.connector_id)]

    async def boot() -> None:
        if station.accepted:
            await station.call(*station.dialect.boot(station.memory.firmware_version))
        else:
            station.boot_requested = True
            station.changed()

    async def statuses() -> None:
        if not connector_id:
            await station.report_station_status()
        for outlet in outlets:
            await station.report_status(outlet)

    async def readings() -> None:
        for outlet in outlets:
            await station.report_reading(outlet)

    async def heartbeat() -> None:
        await station.call(*station.dialect.heartbeat())

    async def firmware() -> None:
        status = {"status": station.upkeep.firmware_status}
        await station.call("FirmwareStatusNotification", status)

    async def upload() -> None:
        status = {"status": station.upkeep.upload_status}
        await station.call("DiagnosticsStatusNotification", status)

    follow_ups: dict[str, FollowUp] = {
        "BootNotification": boot,
        "Heartbeat": heartbeat,
        "StatusNotification": statuses,
        "MeterValues": readings,
        "DiagnosticsStatusNotification": upload,
        "FirmwareStatusNotification": firmware,
    }
    if requested not in follow_ups:
        return {"status": "NotImplemented"}, None
    return {"status": "Accepted"}, follow_ups[requested]


def handle_data_transfer(
    station: VirtualStation, payload: Payload
) -> tuple[Payload, FollowUp | None]:
    """Echoes its own vendor's "Echo"; knows nothing else."""
    if _text(payload["vendorId"]) != VENDOR_ID:
        return {"status": "UnknownVendorId"}, None
    if payload.get("messageId") != "Echo":
        return {"status": "UnknownMessageId"}, None
    return {"status": "Accepted", "data": _text(payload.get("data", ""))}, None


COMMANDS: dict[str, Handler] = {
    "ChangeAvailability": handle_change_availability,
    "ChangeConfiguration": handle_change_configuration,
    "ClearCache": handle_clear_cache,
    "DataTransfer": handle_data_transfer,
    "GetConfiguration": handle_get_configuration,
    "RemoteStartTransaction": handle_remote_start,
    "RemoteStopTransaction": handle_remote_stop,
    "Reset": handle_reset,
    "TriggerMessage": handle_trigger_message,
    "UnlockConnector": handle_unlock,
} | (LOCAL_LIST | RESERVATIONS | SECURITY | SMART_CHARGING | UPKEEP)


def _end(outlet: Outlet, tx: LocalTransaction, reason: str) -> FollowUp:
    return lambda: outlet.end_if_running(tx, reason)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected a string, got {value!r}")
    return value


def _integer(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"expected an integer, got {value!r}")
    return value


def _one_of(value: object, *allowed: str) -> str:
    if value not in allowed:
        raise ValueError(f"expected one of {', '.join(allowed)}, got {value!r}")
    return str(value)
