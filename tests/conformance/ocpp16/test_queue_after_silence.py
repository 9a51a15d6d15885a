"""A station that fell silent in mid-session and comes back a day later with its queue."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.conformance.messages import at, meter_values, sample, start_of, stop_of
from tests.conformance.site import Site


@pytest.mark.parametrize("told_twice", [False, True], ids=["once", "everything twice"])
async def test_a_day_old_queue_is_one_right_bill_without_review(
    site: Site, told_twice: bool
) -> None:
    """Repeated messages come with new ids, the start among them, as after a reboot."""
    await site.charge_money()
    station, tag = await site.make_station(), await site.make_id_token()
    began = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
    ended = began + timedelta(hours=1)
    start = start_of(tag, timestamp=at(began))
    async with site.connect(station) as wire:
        tx_id = (await wire.call("StartTransaction", start))["transactionId"]
    readings = [
        meter_values(
            tx_id, sample(1000 + 1000 * step), timestamp=at(began + timedelta(minutes=12 * step))
        )
        for step in range(1, 5)
    ]
    stop = stop_of(tx_id, timestamp=at(ended), reason="Local")
    async with site.connect(station) as wire:
        for _ in range(2 if told_twice else 1):
            if told_twice:
                assert (await wire.call("StartTransaction", start))["transactionId"] == tx_id
            for reading in readings:
                assert await wire.call("MeterValues", reading) == {}
            await wire.call("StopTransaction", stop)
    [tx] = await site.transactions(station)
    assert datetime.fromisoformat(tx["started_at"]) == began
    assert datetime.fromisoformat(tx["ended_at"]) == ended
    assert (tx["energy_wh"], tx["needs_review"], tx["review_reasons"]) == (5000, False, [])
    assert [row["value"] for row in await site.meter_values(tx)] == [2000, 3000, 4000, 5000]
    cdr = await site.cdr(tx)
    assert (cdr["energy_wh"], cdr["price"]["net_minor"]) == (5000, 200)
    assert (await site.session(tx, "completed"))["cdr"] is not None
