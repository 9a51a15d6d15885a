"""One virtual station of every kind at once, people at their plugs: nobody silenced, acknowledged means stored.

The witness is the stations' own journal; the server is asked over REST.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from stations.simulator import Journal, VirtualStation, all_personalities
from stations.simulator.curve import Vehicle
from stations.simulator.people import Drivers, Habit, TagPool
from tests.conformance.site import PASSWORD, Registered, Site

# It wants a server that speaks 2.0.1.
NOT_YET = {"offers_201_speaks_16"}
# What the operator says of them beside the password.
FLAGS: Mapping[str, dict[str, Any]] = {
    "no_subprotocol": {"assumes_ocpp16": True},
    "literal_hex_key": {"accepts_literal_hex": True},
}
FACTS = ("StartTransaction", "StopTransaction", "MeterValues")
SPEED = 30
HURRIED = Habit(
    first_pause_s=(1, 30),
    pause_s=(5, 40),
    session_s=(60, 200),
    linger_s=(1, 5),
    vehicle=lambda rng: Vehicle(soc_percent=rng.uniform(10, 50)),
)


@pytest.mark.parametrize(
    ("seconds", "kinds"),
    [
        (4, ("honest", "repeats_start_new_id", "broken_json_frames", "half_open_then_new_socket")),
        pytest.param(
            45,
            tuple(name for name in all_personalities() if name not in NOT_YET),
            marks=pytest.mark.fuzz,
            id="all-45s",
        ),
    ],
)
async def test_a_fleet_of_every_kind(
    site: Site, seconds: int, kinds: tuple[str, ...], say: Callable[[str], None]
) -> None:
    began = time.monotonic()
    await site.charge_money()
    journal = Journal()
    cards = [await site.make_id_token() for _ in range(2 * len(kinds))]
    rows = {kind: await site.make_station(**FLAGS.get(kind, {})) for kind in kinds}
    stations = {kind: make(site, kind, row, journal) for kind, row in rows.items()}
    await live(stations, TagPool(cards), seconds)
    faults = [
        fault for kind, row in rows.items() for fault in await faults_of(site, kind, row, journal)
    ]
    counts = Counter(request.action for request in journal.requests if request.is_acknowledged)
    say(
        f"{len(kinds)} kinds, {journal.counts['acknowledged']} acknowledged ({dict(counts)}),"
        f" {journal.counts['refused']} refused, {time.monotonic() - began:.0f} s"
    )
    assert faults == [], "\n".join(faults[:40])
    assert min(counts[action] for action in FACTS) > 0
    for row in rows.values():
        async with site.connect(row, boot=False) as wire:
            assert await wire.is_heard()


def make(site: Site, kind: str, row: Registered, journal: Journal) -> VirtualStation:
    return VirtualStation(
        site.server.ocpp_url,
        row.identity,
        password=PASSWORD,
        personality=kind,
        speed=SPEED,
        seed=kind,
        journal=journal,
        configuration={"MeterValueSampleInterval": "15", "TransactionMessageRetryInterval": "1"},
        call_timeout_s=20,
        reconnect_base_s=0.2,
        reconnect_cap_s=1.0,
    )


async def live(stations: Mapping[str, VirtualStation], cards: TagPool, seconds: int) -> None:
    """Cars come and go for so long; then they leave, and every queue is told to its end."""
    people = []
    try:
        for station in stations.values():
            station.power_on()
            drivers = Drivers(station, station.outlet(), HURRIED, cards)
            people.append(asyncio.create_task(drivers.run(None)))
        await asyncio.sleep(seconds)
        for task in people:
            task.cancel()
        ended = await asyncio.gather(*people, return_exceptions=True)
        assert [e for e in ended if not isinstance(e, asyncio.CancelledError)] == []
        await asyncio.gather(*(come_to_rest(kind, s) for kind, s in stations.items()))
    finally:
        for task in people:
            task.cancel()
        await asyncio.gather(*(station.close() for station in stations.values()))


async def come_to_rest(kind: str, station: VirtualStation) -> None:
    try:
        async with asyncio.timeout(60):
            await station.wait_until(lambda s: s.is_online, None)
            if station.outlet().is_plugged:
                with contextlib.suppress(Exception):
                    await station.unplug()
            await station.wait_until(lambda s: s.is_online and not s.memory.queue, None)
    except TimeoutError:
        queue = [message.action for message in station.memory.queue]
        raise AssertionError(
            f"{kind} was silenced: online {station.is_online}, to tell {queue}"
        ) from None


async def faults_of(site: Site, kind: str, row: Registered, journal: Journal) -> list[str]:
    """What the server shows of a station against what the station was told."""
    found = []
    for request in journal.requests:
        if request.identity == row.identity:
            codes = {a.error_code for a in request.answers if a.error_code is not None}
            if codes:
                found.append(f"{kind}: {request.action} refused with {codes}: {request.payload}")
    shown = {
        tx["ocpp_transaction_id"]: tx
        for tx in await pages(site, f"/transactions/?station={row.identity}")
    }
    for start in journal.acknowledged_starts():
        if start.identity != row.identity:
            continue
        told = [shown.get(str(number)) for number in start.transaction_ids]
        if len(told) != 1 or told[0] is None:
            found.append(f"{kind}: start {start} is {told}")
        elif (told[0]["meter_start_wh"], told[0]["id_token"].lower()) != (
            start.meter_start_wh,
            start.id_tag.lower(),
        ):
            found.append(f"{kind}: start {start} stored as {told[0]}")
    stopped: set[int] = set()
    for stop in journal.acknowledged_stops():
        # Of several stops of one transaction the first counts; what names none may have been given to any.
        if (
            stop.identity != row.identity
            or stop.transaction_id <= 0
            or stop.transaction_id in stopped
        ):
            continue
        stopped.add(stop.transaction_id)
        tx = shown.get(str(stop.transaction_id))
        if tx is None or (tx["status"], tx["meter_stop_wh"]) != ("ended", stop.meter_stop_wh):
            found.append(f"{kind}: stop {stop} stored as {tx}")
    return found + await lost_readings(site, kind, row, journal, shown)


async def lost_readings(
    site: Site, kind: str, row: Registered, journal: Journal, shown: Mapping[str, dict[str, Any]]
) -> list[str]:
    """Samples that can be read, have a time and name a transaction that is known: each is there once."""
    told: dict[str, Counter[tuple[str, str, str, str]]] = {}
    for reading in journal.acknowledged_readings():
        key = str(reading.transaction_id)
        if reading.identity == row.identity and key in shown:
            for sample in reading.samples if instant(reading.timestamp) else ():
                if is_plain(sample):
                    told.setdefault(key, Counter())[
                        instant(reading.timestamp),
                        sample.get("measurand", "Energy.Active.Import.Register"),
                        sample.get("phase", ""),
                        sample["value"],
                    ] = 1
    lost = []
    for key, samples in told.items():
        stored = Counter(
            (value["device_at"] or "", value["measurand"], value["phase"] or "", value["raw_value"])
            for value in await pages(
                site, f"/transactions/{shown[key]['id']}/meter-values/?limit=200"
            )
        )
        for sample in samples:
            if not stored[sample]:
                lost.append(f"{kind}: reading {sample} of {key} is not there")
            elif stored[sample] > 1:
                lost.append(f"{kind}: reading {sample} of {key} is there {stored[sample]} times")
    return lost


def is_plain(sample: Mapping[str, Any]) -> bool:
    """A number with the unit that its measurand has, in a context that OCPP knows."""
    measurand = sample.get("measurand", "Energy.Active.Import.Register")
    fitting = {
        "Energy.Active.Import.Register": (None, "Wh", "kWh"),
        "Power.Active.Import": (None, "W", "kW"),
        "Current.Import": (None, "A"),
        "Voltage": (None, "V"),
        "SoC": (None, "Percent"),
    }
    if sample.get("context", "").endswith("Unknown"):
        return False
    if not isinstance(sample.get("value"), str) or sample.get("unit") not in fitting.get(
        measurand, ()
    ):
        return False
    return sample["value"].replace(".", "", 1).isdigit()


def instant(timestamp: str) -> str:
    """As REST writes it; empty without a zone, for then nobody knows when it was."""
    try:
        at = datetime.fromisoformat(timestamp)
    except ValueError:
        return ""
    if at.tzinfo is None:
        return ""
    text = at.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z").replace(".000Z", "Z")


async def pages(site: Site, path: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    address: str | None = path
    while address:
        page = await site.rest.get(address)
        rows += page["results"]
        address = page["next"]
    return rows
