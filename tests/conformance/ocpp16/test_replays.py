"""Told twice, told late, told wrongly: RELIABILITY checks 55 to 66, with the bill at the end."""

import asyncio
from typing import Any

import pytest

from stations.simulator.client import ConnectionLost
from tests.conformance.messages import ago, meter_values, sample, start_of, stop_of
from tests.conformance.site import Site


async def test_a_hundred_copies_of_one_start_over_two_sockets_are_one_session(site: Site) -> None:
    station, tag = await site.make_station(), await site.make_id_token()
    start = start_of(tag)
    async with site.connect(station) as one:
        answers = [one.call("StartTransaction", start, f"a{n}") for n in range(50)]
        tasks = [asyncio.create_task(answer) for answer in answers]
        async with site.connect(station, boot=False) as two:
            tasks += [
                asyncio.create_task(two.call("StartTransaction", start, f"b{n}")) for n in range(50)
            ]
            results = await asyncio.gather(*tasks, return_exceptions=True)
    told = {result["transactionId"] for result in results if isinstance(result, dict)}
    lost = [result for result in results if isinstance(result, BaseException)]
    assert all(isinstance(error, ConnectionLost) for error in lost)
    assert len(lost) <= 50
    [tx] = await site.transactions(station)
    assert told == {int(tx["ocpp_transaction_id"])}
    assert await site.session(tx, "active")


async def test_a_stop_told_five_times_over_two_connections_is_one_bill(site: Site) -> None:
    await site.charge_money()
    station, tag = await site.make_station(), await site.make_id_token()
    async with site.connect(station) as wire:
        tx_id = (await wire.call("StartTransaction", start_of(tag)))["transactionId"]
        stop = stop_of(tx_id)
        for _ in range(3):
            await wire.call("StopTransaction", stop)
    async with site.connect(station) as wire:
        for _ in range(2):
            await wire.call("StopTransaction", stop, "the same id")
    tx = await site.transaction(tx_id, station)
    assert tx["review_reasons"] == []
    assert (await site.cdr(tx))["price"]["gross_minor"] == 240


async def test_a_second_stop_with_other_figures_changes_no_bill_and_is_shown(site: Site) -> None:
    await site.charge_money()
    station, tag = await site.make_station(), await site.make_id_token()
    async with site.connect(station) as wire:
        tx_id = (await wire.call("StartTransaction", start_of(tag)))["transactionId"]
        await wire.call("StopTransaction", stop_of(tx_id))
        billed = await site.cdr(await site.transaction(tx_id, station))
        await wire.call("StopTransaction", stop_of(tx_id, meterStop=99_000))
    tx = await site.transaction(tx_id, station)
    assert (tx["energy_wh"], tx["review_reasons"]) == (5000, ["conflicting_stop"])
    assert await site.cdr(tx) == billed


@pytest.mark.parametrize("tx_id", [0, -1, -16, 2**31, 2**63 - 1, -(2**63)])
async def test_a_stop_of_nothing_is_acknowledged_and_kept(site: Site, tx_id: int) -> None:
    await site.charge_money()
    station = await site.make_station()
    stop = stop_of(tx_id)
    async with site.connect(station) as wire:
        for _ in range(2):
            assert await wire.call("StopTransaction", stop) == {}
        await wire.call("MeterValues", meter_values(tx_id, sample(5)))
        assert await wire.is_heard()
    [orphan] = await site.transactions(station)
    assert (orphan["status"], orphan["review_reasons"]) == ("ended", ["unknown_transaction"])
    assert (orphan["ocpp_transaction_id"], orphan["meter_stop_wh"]) == (str(tx_id), 6000)


async def test_a_stop_before_its_start_loses_neither(site: Site) -> None:
    """The queue's order was broken: both are acknowledged, and nobody's other session is touched."""
    station, tag = await site.make_station(), await site.make_id_token()
    async with site.connect(station) as wire:
        assert await wire.call("StopTransaction", stop_of(-1, idTag=tag)) is not None
        start = await wire.call("StartTransaction", start_of(tag))
        assert start["idTagInfo"]["status"] == "Accepted"
    rows = await site.transactions(station)
    assert sorted(row["needs_review"] for row in rows) == [False, True]


async def test_a_stop_with_minus_one_names_the_only_open_session(site: Site) -> None:
    """Errata v4.0, 3.18: a station that never learned the id sends -1; ambiguous, it touches nobody."""
    station, tag = await site.make_station(), await site.make_id_token()
    async with site.connect(station) as wire:
        one = (await wire.call("StartTransaction", start_of(tag)))["transactionId"]
        two = (await wire.call("StartTransaction", start_of(tag, connectorId=2)))["transactionId"]
        await wire.call("StopTransaction", stop_of(-1))
        for tx_id in (one, two):
            assert (await site.transaction(tx_id, station))["status"] == "active"
        await wire.call("StopTransaction", stop_of(one))
        await wire.call("StopTransaction", stop_of(-1, timestamp=ago(seconds=2)))
    tx = await site.transaction(two, station)
    # The worker may have added by now that there is no tariff here.
    assert (tx["status"], tx["review_reasons"][0]) == ("ended", "unknown_transaction")


async def test_a_repeated_stop_with_minus_one_is_one_stop(site: Site) -> None:
    """Told again it is neither a second transaction nor the end of the session that began meanwhile."""
    station, tag = await site.make_station(), await site.make_id_token()
    async with site.connect(station) as wire:
        tx_id = (await wire.call("StartTransaction", start_of(tag)))["transactionId"]
        stop = stop_of(-1, timestamp=ago(minutes=5))
        for _ in range(2):
            await wire.call("StopTransaction", stop)
    async with site.connect(station) as wire:
        await wire.call("StopTransaction", stop)
        later = start_of(tag, timestamp=ago(minutes=1), meterStart=6000)
        new = (await wire.call("StartTransaction", later))["transactionId"]
        await wire.call("StopTransaction", stop)
    rows = {row["ocpp_transaction_id"]: row for row in await site.transactions(station)}
    assert set(rows) == {str(tx_id), str(new)}
    assert (rows[str(tx_id)]["energy_wh"], rows[str(new)]["status"]) == (5000, "active")


@pytest.mark.parametrize("fields", [{"meterStop": 999}, {"timestamp": ago(days=1)}])
async def test_a_stop_with_minus_one_that_cannot_be_the_end_ends_nothing(
    site: Site, fields: dict[str, Any]
) -> None:
    station, tag = await site.make_station(), await site.make_id_token()
    async with site.connect(station) as wire:
        tx_id = (await wire.call("StartTransaction", start_of(tag)))["transactionId"]
        await wire.call("StopTransaction", stop_of(-1, **fields))
    assert (await site.transaction(tx_id, station))["status"] == "active"


async def test_a_stop_that_names_its_transaction_outdoes_one_that_did_not(site: Site) -> None:
    await site.charge_money()
    station, tag = await site.make_station(), await site.make_id_token()
    async with site.connect(station) as wire:
        start = start_of(tag, timestamp=ago(minutes=4))
        tx_id = (await wire.call("StartTransaction", start))["transactionId"]
        await wire.call("StopTransaction", stop_of(-1, meterStop=1100))
        assert await site.session(await site.transaction(tx_id, station), "in_review")
        stop = stop_of(tx_id)
        for _ in range(2):
            await wire.call("StopTransaction", stop)
    tx = await site.transaction(tx_id, station)
    assert (tx["energy_wh"], tx["review_reasons"]) == (5000, [])
    assert (await site.cdr(tx))["energy_wh"] == 5000


async def test_readings_with_minus_one_belong_to_the_connectors_session(site: Site) -> None:
    station, tag = await site.make_station(), await site.make_id_token()
    async with site.connect(station) as wire:
        tx_id = (await wire.call("StartTransaction", start_of(tag)))["transactionId"]
        await wire.call("MeterValues", meter_values(-1, sample(1500)))
        await wire.call("MeterValues", meter_values(0, sample(1600), timestamp=ago(minutes=4)))
    readings = await site.meter_values(await site.transaction(tx_id, station))
    assert [reading["value"] for reading in readings] == [1500, 1600]


async def test_another_operators_transaction_is_out_of_reach(site: Site) -> None:
    """A station may name any number it likes."""
    station, tag = await site.make_station(), await site.make_id_token()
    intruder = await site.make_station()
    async with site.connect(station) as wire, site.connect(intruder) as other:
        tx_id = (await wire.call("StartTransaction", start_of(tag)))["transactionId"]
        await other.call("StopTransaction", stop_of(tx_id))
        await other.call("MeterValues", meter_values(tx_id, sample(9999)))
        tx = await site.transaction(tx_id, station)
        assert (tx["status"], tx["review_reasons"]) == ("active", [])
        assert await site.meter_values(tx) == []
