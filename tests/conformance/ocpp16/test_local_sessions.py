"""Sessions that begin at the station: TC_003, TC_004_1, TC_004_2, TC_005_1, TC_007, TC_023_1 to _3, TC_024."""

import asyncio
from typing import Any

import pytest

from tests.conformance.messages import ago, meter_values, sample, start_of, stop_of
from tests.conformance.site import Site


async def test_tc_003_plug_in_first(site: Site) -> None:
    """From plug to bill: what the station said is what the operator sees and what is priced."""
    await site.charge_money()
    station, tag = await site.make_station(), await site.make_id_token()
    began, ended = ago(minutes=30), ago(seconds=1)
    async with site.connect(station) as wire:
        await wire.status(1, "Preparing")
        assert await wire.authorize(tag) == "Accepted"
        start = await wire.call("StartTransaction", start_of(tag, timestamp=began))
        assert start["idTagInfo"]["status"] == "Accepted"
        tx_id = start["transactionId"]
        await wire.status(1, "Charging")
        assert (await site.connector(station))["status"] == "Charging"
        running = await site.transaction(tx_id, station)
        assert (running["status"], running["ended_at"]) == ("active", None)
        await wire.call("MeterValues", meter_values(tx_id, sample(3500)))
        stopped = await wire.call(
            "StopTransaction", stop_of(tx_id, timestamp=ended, idTag=tag, reason="Local")
        )
        assert stopped["idTagInfo"]["status"] == "Accepted"
        await wire.status(1, "Finishing")
        await wire.status(1, "Available")
    tx = await site.transaction(tx_id, station)
    assert (tx["status"], tx["stop_reason"], tx["needs_review"]) == ("ended", "Local", False)
    assert (tx["started_at"], tx["ended_at"]) == (began, ended)
    assert (tx["device_started_at"], tx["device_ended_at"]) == (began, ended)
    assert (tx["meter_start_wh"], tx["meter_stop_wh"], tx["energy_wh"]) == (1000, 6000, 5000)
    assert (tx["evse_id"], tx["connector_id"], tx["id_token"]) == (1, 1, tag)
    cdr = await site.cdr(tx)
    assert (cdr["energy_wh"], cdr["price"]["final"]) == (5000, True)
    assert [cdr["price"][f"{part}_minor"] for part in ("net", "tax", "gross")] == [200, 40, 240]


async def test_tc_004_1_identify_first(site: Site) -> None:
    station, tag = await site.make_station(), await site.make_id_token()
    async with site.connect(station) as wire:
        assert await wire.authorize(tag) == "Accepted"
        await wire.status(1, "Preparing")
        start = await wire.call("StartTransaction", start_of(tag))
        assert start["idTagInfo"]["status"] == "Accepted"
        await wire.status(1, "Charging")
    assert len(await site.transactions(station)) == 1


async def test_tc_004_2_identify_first_and_never_plug_in(site: Site) -> None:
    station, tag = await site.make_station(), await site.make_id_token()
    async with site.connect(station) as wire:
        assert await wire.authorize(tag) == "Accepted"
        await wire.status(1, "Preparing")
        await wire.status(1, "Available")
    assert (await site.connector(station))["status"] == "Available"
    assert await site.transactions(station) == []
    assert await site.rest.rows("/sessions/", station=station.identity) == []


async def test_tc_005_1_disconnect_at_the_car(site: Site) -> None:
    station, tag = await site.make_station(), await site.make_id_token()
    async with site.connect(station) as wire:
        tx_id = (await wire.call("StartTransaction", start_of(tag)))["transactionId"]
        await wire.status(1, "Charging")
        await wire.status(1, "SuspendedEV")
        # A status never ends a transaction.
        assert (await site.transaction(tx_id, station))["status"] == "active"
        await wire.call("StopTransaction", stop_of(tx_id, reason="EVDisconnected"))
        await wire.status(1, "Finishing")
        await wire.status(1, "Available")
    tx = await site.transaction(tx_id, station)
    assert (tx["status"], tx["stop_reason"]) == ("ended", "EVDisconnected")


async def test_tc_007_cached_id(site: Site) -> None:
    station, tag = await site.make_station(), await site.make_id_token()
    async with site.connect(station) as wire:
        start = await wire.call("StartTransaction", start_of(tag.lower()))
        assert start["idTagInfo"]["status"] == "Accepted"
    [tx] = await site.transactions(station)
    assert tx["id_token"].lower() == tag.lower()


@pytest.mark.parametrize(
    ("case", "fields", "status"),
    [
        ("tc_023_1", None, "Invalid"),
        ("tc_023_1", {"status": "invalid"}, "Invalid"),
        ("tc_023_2", {"expires_at": "2026-01-01T00:00:00Z"}, "Expired"),
        ("tc_023_3", {"status": "blocked"}, "Blocked"),
    ],
)
async def test_tc_023_refused_tags(
    site: Site, case: str, fields: dict[str, Any] | None, status: str
) -> None:
    station = await site.make_station()
    tag = "NOBODY-KNOWS-IT" if fields is None else await site.make_id_token(**fields)
    async with site.connect(station) as wire:
        assert await wire.authorize(tag) == status
        # The station stays as it is: no transaction appears by itself.
        assert await site.transactions(station) == []
        start = await wire.call("StartTransaction", start_of(tag))
        assert start["idTagInfo"]["status"] == status
        await wire.call("StopTransaction", stop_of(start["transactionId"], reason="DeAuthorized"))
    [tx] = await site.transactions(station)
    assert (tx["status"], tx["stop_reason"]) == ("ended", "DeAuthorized")


async def test_tc_023_a_block_governs_within_a_second(site: Site) -> None:
    station = await site.make_station()
    row = await site.rest.post("/id-tokens/", {"uid": "REVOKED-LATER"})
    async with site.connect(station) as wire:
        assert await wire.authorize("revoked-later") == "Accepted"
        await site.rest.patch(f"/id-tokens/{row['id']}/", {"status": "blocked"})
        async with asyncio.timeout(1):
            while (status := await wire.authorize("revoked-later")) != "Blocked":
                assert status == "Accepted"


async def test_tc_024_lock_failure(site: Site) -> None:
    station = await site.make_station()
    async with site.connect(station) as wire:
        await wire.status(1, "Preparing")
        await wire.status(1, "Faulted", "ConnectorLockFailure")
    connector = await site.connector(station)
    assert (connector["status"], connector["error_code"]) == ("Faulted", "ConnectorLockFailure")
