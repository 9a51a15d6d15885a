"""What operators ask for: TC_010 to TC_018, TC_026, TC_028, TC_030, TC_031, TC_061, TC_054, TC_055."""

from typing import Any

import pytest

from tests.conformance.messages import meter_values, sample, start_of, stop_of
from tests.conformance.site import Registered, Site
from tests.conformance.wire import WireStation


async def charging(site: Site, wire: WireStation, station: Registered) -> int:
    """Bring connector 1 into a session; returns the id the station was given."""
    tag = await site.make_id_token()
    await wire.status(1, "Preparing")
    tx_id: int = (await wire.call("StartTransaction", start_of(tag)))["transactionId"]
    await wire.status(1, "Charging")
    return tx_id


async def test_tc_010_remote_start_cable_first(site: Site) -> None:
    station, tag = await site.make_station(), await site.make_id_token()
    async with site.connect(station) as wire:
        await wire.status(1, "Preparing")
        command = await site.ask(station, "RemoteStartTransaction", idTag=tag, connectorId=1)
        asked = await wire.take("RemoteStartTransaction")
        assert asked == {"connectorId": 1, "idTag": tag}
        assert await wire.authorize(asked["idTag"]) == "Accepted"
        start = await wire.call("StartTransaction", start_of(asked["idTag"]))
        assert start["idTagInfo"]["status"] == "Accepted"
        await wire.status(1, "Charging")
        done = await site.ended(command)
    assert (done["status"], done["response"]) == ("accepted", {"status": "Accepted"})
    assert done["created_at"] <= done["sent_at"] <= done["finished_at"]
    [tx] = await site.transactions(station)
    assert (tx["id_token"], tx["status"]) == (tag, "active")


async def test_tc_011_1_remote_start_before_the_cable(site: Site) -> None:
    station, tag = await site.make_station(), await site.make_id_token()
    async with site.connect(station) as wire:
        command = await site.rest.post(
            f"{station.path}start/", {"id_token": tag.lower(), "evse_id": 1}, status=202
        )
        # The token's own spelling goes out, whatever the program wrote.
        assert await wire.take("RemoteStartTransaction") == {"connectorId": 1, "idTag": tag}
        await wire.status(1, "Preparing")
        start = await wire.call("StartTransaction", start_of(tag))
        assert start["idTagInfo"]["status"] == "Accepted"
        assert (await site.ended(command))["status"] == "accepted"
    assert len(await site.transactions(station)) == 1


async def test_tc_011_2_remote_start_without_a_car(site: Site) -> None:
    station, tag = await site.make_station(), await site.make_id_token()
    async with site.connect(station) as wire:
        command = await site.ask(station, "RemoteStartTransaction", idTag=tag, connectorId=1)
        await wire.take("RemoteStartTransaction")
        await wire.status(1, "Preparing")
        await wire.status(1, "Available")
        assert (await site.ended(command))["status"] == "accepted"
        assert await site.transactions(station) == []
        # Whoever comes next is served as if nothing had been.
        other = await site.make_id_token()
        start = await wire.call("StartTransaction", start_of(other))
        assert start["idTagInfo"]["status"] == "Accepted"
    [tx] = await site.transactions(station)
    assert (tx["id_token"], tx["remote_start_id"]) == (other, None)


async def test_tc_012_remote_stop(site: Site) -> None:
    station = await site.make_station()
    async with site.connect(station) as wire:
        tx_id = await charging(site, wire, station)
        tx = await site.transaction(tx_id, station)
        command = await site.rest.post(
            f"{station.path}stop/", {"transaction": tx["id"]}, status=202
        )
        assert await wire.take("RemoteStopTransaction") == {"transactionId": tx_id}
        await wire.call("StopTransaction", stop_of(tx_id, reason="Remote"))
        await wire.status(1, "Finishing")
        assert (await site.ended(command))["status"] == "accepted"
    tx = await site.transaction(tx_id, station)
    assert (tx["status"], tx["stop_reason"]) == ("ended", "Remote")


@pytest.mark.parametrize(("case", "kind"), [("tc_013", "Hard"), ("tc_014", "Soft")])
async def test_tc_013_tc_014_reset(site: Site, case: str, kind: str) -> None:
    station = await site.make_station()
    async with site.connect(station) as wire:
        tx_id = await charging(site, wire, station)
        command = await site.rest.post(f"{station.path}reset/", {"type": kind.lower()}, status=202)
        assert await wire.take("Reset") == {"type": kind}
        await wire.call("StopTransaction", stop_of(tx_id, reason=f"{kind}Reset"))
        assert (await site.ended(command))["status"] == "accepted"
    async with site.connect(station, boot=False) as wire:
        assert (await wire.boot())["status"] == "Accepted"
        await wire.status(1, "Available")
        # A reset is never asked twice.
        assert await wire.is_heard()
        assert wire.calls.empty()
    assert (await site.transaction(tx_id, station))["stop_reason"] == f"{kind}Reset"


@pytest.mark.parametrize(
    ("case", "said", "outcome"),
    [
        ("tc_017_1", "Unlocked", "accepted"),
        ("tc_017_2", "NotSupported", "rejected"),
        ("tc_031", "NotSupported", "rejected"),
    ],
)
async def test_tc_017_tc_031_unlock(site: Site, case: str, said: str, outcome: str) -> None:
    station = await site.make_station()
    connector_id = 9 if case == "tc_031" else 1
    async with site.connect(station) as wire:
        command = await site.rest.post(
            f"{station.path}unlock/", {"evse_id": connector_id}, status=202
        )
        call = await wire.expect("UnlockConnector")
        assert call.payload == {"connectorId": connector_id}
        await wire.answer(call, {"status": said})
        done = await site.ended(command)
        assert await wire.is_heard()
    assert (done["status"], done["response"]) == (outcome, {"status": said})


async def test_tc_018_1_unlock_with_a_session(site: Site) -> None:
    station = await site.make_station()
    async with site.connect(station) as wire:
        tx_id = await charging(site, wire, station)
        command = await site.ask(station, "UnlockConnector", connectorId=1)
        assert await wire.take("UnlockConnector", {"status": "Unlocked"}) == {"connectorId": 1}
        await wire.call("StopTransaction", stop_of(tx_id, reason="UnlockCommand"))
        assert (await site.ended(command))["status"] == "accepted"
    assert (await site.transaction(tx_id, station))["stop_reason"] == "UnlockCommand"


async def test_tc_026_remote_start_rejected(site: Site) -> None:
    station, tag = await site.make_station(), await site.make_id_token()
    async with site.connect(station) as wire:
        command = await site.ask(station, "RemoteStartTransaction", idTag=tag, connectorId=1)
        await wire.take("RemoteStartTransaction", {"status": "Rejected"})
        done = await site.ended(command)
    assert (done["status"], done["response"], done["error"]) == (
        "rejected",
        {"status": "Rejected"},
        None,
    )
    assert await site.transactions(station) == []
    assert await site.rest.rows("/sessions/", station=station.identity) == []


async def test_tc_028_remote_stop_rejected(site: Site) -> None:
    station = await site.make_station()
    async with site.connect(station) as wire:
        tx_id = await charging(site, wire, station)
        command = await site.ask(station, "RemoteStopTransaction", transactionId=tx_id)
        await wire.take("RemoteStopTransaction", {"status": "Rejected"})
        assert (await site.ended(command))["status"] == "rejected"
        assert (await site.transaction(tx_id, station))["status"] == "active"


async def test_tc_030_unlock_failure(site: Site) -> None:
    station = await site.make_station()
    async with site.connect(station) as wire:
        command = await site.ask(station, "UnlockConnector", connectorId=1)
        await wire.take("UnlockConnector", {"status": "UnlockFailed"})
        await wire.status(1, "Faulted", "ConnectorLockFailure")
        assert (await site.ended(command))["status"] == "rejected"
    assert (await site.connector(station))["error_code"] == "ConnectorLockFailure"


@pytest.mark.parametrize(("said", "outcome"), [("Accepted", "accepted"), ("Rejected", "rejected")])
async def test_tc_061_clear_cache(site: Site, said: str, outcome: str) -> None:
    station = await site.make_station()
    async with site.connect(station) as wire:
        command = await site.ask(station, "ClearCache")
        assert await wire.take("ClearCache", {"status": said}) == {}
        assert (await site.ended(command))["status"] == outcome


TRIGGERED: dict[str, tuple[str, dict[str, Any]]] = {
    "MeterValues": ("MeterValues", meter_values(None, sample(5, context="Trigger"))),
    "Heartbeat": ("Heartbeat", {}),
    "StatusNotification": (
        "StatusNotification",
        {"connectorId": 1, "status": "Available", "errorCode": "NoError"},
    ),
    "DiagnosticsStatusNotification": ("DiagnosticsStatusNotification", {"status": "Idle"}),
    "FirmwareStatusNotification": ("FirmwareStatusNotification", {"status": "Idle"}),
    "BootNotification": (
        "BootNotification",
        {"chargePointVendor": "Acme", "chargePointModel": "Wallbox"},
    ),
}


@pytest.mark.parametrize("message", TRIGGERED)
async def test_tc_054_trigger(site: Site, message: str) -> None:
    station = await site.make_station()
    action, payload = TRIGGERED[message]
    asked = {"requestedMessage": message}
    if message in ("MeterValues", "StatusNotification"):
        asked["connectorId"] = 1  # type: ignore[assignment]
    async with site.connect(station) as wire:
        command = await site.ask(station, "TriggerMessage", **asked)
        assert await wire.take("TriggerMessage") == asked
        await wire.call(action, payload)
        assert (await site.ended(command))["status"] == "accepted"


@pytest.mark.parametrize("said", ["Rejected", "NotImplemented"])
async def test_tc_055_trigger_rejected(site: Site, said: str) -> None:
    station = await site.make_station()
    async with site.connect(station) as wire:
        command = await site.ask(
            station, "TriggerMessage", requestedMessage="MeterValues", connectorId=1
        )
        await wire.take("TriggerMessage", {"status": said})
        done = await site.ended(command)
        assert (done["status"], done["response"]) == ("rejected", {"status": said})
        assert await wire.is_heard()


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        ({"operative": False}, {"connectorId": 0, "type": "Inoperative"}),
        ({"operative": True, "evse_id": 2}, {"connectorId": 2, "type": "Operative"}),
    ],
)
@pytest.mark.parametrize(
    ("said", "outcome"),
    [("Accepted", "accepted"), ("Scheduled", "accepted"), ("Rejected", "rejected")],
)
async def test_availability(
    site: Site, body: dict[str, Any], sent: dict[str, Any], said: str, outcome: str
) -> None:
    station = await site.make_station()
    async with site.connect(station) as wire:
        command = await site.rest.post(f"{station.path}availability/", body, status=202)
        assert await wire.take("ChangeAvailability", {"status": said}) == sent
        assert (await site.ended(command))["status"] == outcome
