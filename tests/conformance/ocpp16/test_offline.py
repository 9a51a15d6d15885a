"""Sessions told later: TC_037_1, TC_037_3, TC_039."""

from datetime import UTC, datetime, timedelta

from tests.conformance.messages import ago, at, meter_values, sample, start_of, stop_of
from tests.conformance.site import Site


async def test_tc_037_1_offline_start_with_a_valid_tag(site: Site) -> None:
    station, tag = await site.make_station(), await site.make_id_token()
    async with site.connect(station):
        pass
    began = ago(hours=9)
    async with site.connect(station, boot=False) as wire:
        start = await wire.call("StartTransaction", start_of(tag, timestamp=began))
        assert start["idTagInfo"]["status"] == "Accepted"
        await wire.status(1, "Charging")
    tx = await site.transaction(start["transactionId"], station)
    assert (tx["device_started_at"], tx["started_at"], tx["status"]) == (began, began, "active")
    assert tx["received_started_at"] > tx["started_at"]


async def test_tc_037_3_offline_start_with_an_invalid_tag(site: Site) -> None:
    station = await site.make_station()
    async with site.connect(station) as wire:
        start = await wire.call("StartTransaction", start_of("NOBODY", timestamp=ago(hours=1)))
        assert start["idTagInfo"]["status"] == "Invalid"
        tx_id = start["transactionId"]
        await wire.call("StopTransaction", stop_of(tx_id, reason="DeAuthorized"))
    tx = await site.transaction(tx_id, station)
    assert (tx["status"], tx["stop_reason"], tx["energy_wh"]) == ("ended", "DeAuthorized", 5000)


async def test_tc_039_whole_transaction_offline(site: Site) -> None:
    """Start, five hundred readings and stop, three days old, in one burst, with live messages between them."""
    await site.charge_money()
    station, tag = await site.make_station(), await site.make_id_token()
    began = datetime.now(UTC).replace(microsecond=0) - timedelta(days=3)
    ended = began + timedelta(hours=1)
    async with site.connect(station) as wire:
        start = await wire.call("StartTransaction", start_of(tag, timestamp=at(began)))
        tx_id = start["transactionId"]
        readings = []
        for number in range(500):
            when = at(began + timedelta(seconds=7 * number))
            register = 1000 + 10 * number
            readings.append(
                wire.call("MeterValues", meter_values(tx_id, sample(register), timestamp=when))
            )
        for number, reading in enumerate(readings):
            await reading
            if number % 100 == 0:
                assert await wire.authorize(tag) == "Accepted"
                await wire.status(2, "Preparing" if number % 200 else "Available")
        await wire.call("StopTransaction", stop_of(tx_id, timestamp=at(ended), reason="Local"))
    tx = await site.transaction(tx_id, station)
    assert datetime.fromisoformat(tx["started_at"]) == began
    assert datetime.fromisoformat(tx["ended_at"]) == ended
    assert (tx["energy_wh"], tx["review_reasons"]) == (5000, [])
    stored = await site.meter_values(tx)
    assert len(stored) == 200  # a page; the rest is behind `next`
    assert [row["value"] for row in stored] == [1000 + 10 * number for number in range(200)]
    cdr = await site.cdr(tx)
    assert cdr["price"]["net_minor"] == 200
