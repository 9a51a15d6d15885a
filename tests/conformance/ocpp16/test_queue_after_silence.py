"""A station that fell silent in mid-session and comes back a day later with its queue."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from stations.services import transactions
from tests.conformance.fixtures import WatchedServer
from tests.conformance.messages import at, meter_values, sample, start_of, stop_of
from tests.conformance.site import Registered, Site, until
from tests.conformance.wire import WireStation
from tests.stations.ocpp.conftest import in_db

BEGAN = timedelta(days=1)


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


# --- closed by itself before the stop came -------------------------------------------------------


@dataclass(frozen=True)
class Silence:
    """A charge that began at 1000 Wh a day ago; the last that was heard were 3000 Wh, 24 minutes later."""

    station: Registered
    tx_id: int
    began: datetime

    def after(self, minutes: int) -> str:
        return at(self.began + timedelta(minutes=minutes))

    def reading(self, minutes: int, register_wh: int) -> dict[str, Any]:
        return meter_values(self.tx_id, sample(register_wh), timestamp=self.after(minutes))

    def stop(self, **fields: Any) -> dict[str, Any]:
        """After an hour, at 6000 Wh."""
        return stop_of(self.tx_id, timestamp=self.after(60), reason="Local", **fields)


@asynccontextmanager
async def charging(
    site: Site,
    server: WatchedServer | None = None,
    *,
    first_reading: tuple[int, int] = (24, 3000),
) -> AsyncIterator[tuple[WireStation, Silence]]:
    """The socket, and what it told so far: `first_reading` in minutes and Wh."""
    await site.charge_money()
    station, tag = await site.make_station(), await site.make_id_token()
    began = datetime.now(UTC).replace(microsecond=0) - BEGAN
    async with site.connect(station, server=server) as wire:
        start = start_of(tag, timestamp=at(began))
        tx_id = (await wire.call("StartTransaction", start))["transactionId"]
        silence = Silence(station, tx_id, began)
        await wire.status(1, "Charging", timestamp=silence.after(0))
        await wire.call("MeterValues", silence.reading(*first_reading))
        yield wire, silence


async def closed_by_itself(site: Site, silence: Silence) -> dict[str, Any]:
    """Close what is stuck until this one is: by its last reading, and held for a person."""

    async def close() -> bool:
        await in_db(transactions.close_stuck_transactions)
        return (await site.transaction(silence.tx_id, silence.station))["status"] == "ended"

    await until(close)
    tx = await site.transaction(silence.tx_id, silence.station)
    assert set(tx["review_reasons"]) == {"no_stop", "estimated"}
    assert (tx["meter_stop_wh"], tx["energy_wh"]) == (3000, 2000)
    assert datetime.fromisoformat(tx["ended_at"]) == silence.began + timedelta(minutes=24)
    assert (await site.session(tx, "in_review"))["cdr"] is None
    return tx


async def tell_the_queue(wire: WireStation, silence: Silence) -> None:
    """What happened since: a reading and the stop, which brings one more."""
    await wire.call("MeterValues", silence.reading(48, 5000))
    last = {
        "timestamp": silence.after(60),
        "sampledValue": [sample(6000, context="Transaction.End")],
    }
    assert await wire.call("StopTransaction", silence.stop(transactionData=[last])) == {}


async def is_billed_by_its_own_stop(site: Site, silence: Silence) -> None:
    cdr = await site.cdr(await site.transaction(silence.tx_id, silence.station))
    [tx] = await site.transactions(silence.station)
    assert (tx["energy_wh"], tx["needs_review"], tx["review_reasons"]) == (5000, False, [])
    assert datetime.fromisoformat(tx["ended_at"]) == silence.began + timedelta(hours=1)
    assert tx["stop_reason"] == "Local"
    assert [row["value"] for row in await site.meter_values(tx)] == [3000, 5000, 6000]
    assert (cdr["energy_wh"], cdr["price"]["net_minor"]) == (5000, 200)
    assert (await site.session(tx, "completed"))["cdr"] is not None


async def says_it_is_free(wire: WireStation) -> None:
    await wire.status(1, "Available")


async def test_a_stop_that_follows_an_automatic_end_is_billed_and_nobody_is_needed(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Back and free, and an hour later still no stop; it comes in the end."""
    monkeypatch.setattr(transactions, "FREE_FOR", "0 seconds")
    async with charging(site) as (wire, silence):
        pass
    async with site.connect(silence.station) as wire:
        await says_it_is_free(wire)
        await closed_by_itself(site, silence)
        await tell_the_queue(wire, silence)
        await is_billed_by_its_own_stop(site, silence)
        # Told again, as after a lost answer.
        await tell_the_queue(wire, silence)
    await is_billed_by_its_own_stop(site, silence)


@pytest.mark.parametrize("half_open", [False, True], ids=["closed", "cut without a word"])
async def test_a_station_that_was_away_too_long_may_still_tell_its_stop(
    site: Site, impatient: WatchedServer, monkeypatch: pytest.MonkeyPatch, half_open: bool
) -> None:
    monkeypatch.setattr(transactions, "AWAY_FOR", "0 seconds")
    async with charging(site, impatient) as (wire, silence):
        if half_open:
            # Reads nothing more, not even pings, and never says goodbye.
            wire.client.freeze()
            await closed_by_itself(site, silence)
            wire.client.abort()
    if not half_open:
        await closed_by_itself(site, silence)
    async with site.connect(silence.station) as back:
        await tell_the_queue(back, silence)
    await is_billed_by_its_own_stop(site, silence)


async def test_the_queue_may_come_on_a_new_socket_while_the_old_one_is_half_open(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transactions, "FREE_FOR", "0 seconds")
    async with charging(site) as (old, silence):
        old.client.freeze()
        async with site.connect(silence.station) as wire:
            await says_it_is_free(wire)
            await closed_by_itself(site, silence)
            old.client.abort()
            await tell_the_queue(wire, silence)
            await is_billed_by_its_own_stop(site, silence)
            assert (await site.station(silence.station))["online"]


async def test_a_stop_that_comes_after_a_person_billed_the_estimate_is_flagged(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transactions, "FREE_FOR", "0 seconds")
    async with charging(site) as (wire, silence):
        pass
    async with site.connect(silence.station) as wire:
        await says_it_is_free(wire)
        tx = await closed_by_itself(site, silence)
        session = await site.session(tx, "in_review")
        release = {"reason": "The driver confirms it."}
        await site.rest.post(f"/sessions/{session['id']}/release/", release, status=200)
        billed = await site.cdr(tx)
        await tell_the_queue(wire, silence)

    async def flagged() -> bool:
        row = await site.transaction(silence.tx_id, silence.station)
        return bool(row["review_reasons"])

    await until(flagged)
    tx = await site.transaction(silence.tx_id, silence.station)
    assert (tx["review_reasons"], tx["energy_wh"]) == (["conflicting_stop"], 5000)
    # The bill stands as it is until a person corrects it.
    assert await site.cdr(tx) == billed
    assert (billed["energy_wh"], billed["price"]["net_minor"]) == (2000, 80)


async def test_an_estimate_that_cannot_be_true_casts_no_doubt_on_the_stop(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last reading was dated before the start: so much energy in no time is nobody's, and was not told."""
    monkeypatch.setattr(transactions, "FREE_FOR", "0 seconds")
    async with charging(site, first_reading=(-90, 3000)) as (wire, silence):
        await says_it_is_free(wire)
        await in_db(transactions.close_stuck_transactions)
        tx = await site.transaction(silence.tx_id, silence.station)
        await site.session(tx, "in_review")
        tx = await site.transaction(silence.tx_id, silence.station)
        assert "implausible_energy" in tx["review_reasons"]
        await tell_the_queue(wire, silence)
        await is_billed_by_its_own_stop(site, silence)
