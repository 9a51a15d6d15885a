"""Reservations: TC_046, 047, 048_1 to 048_4, 049, 051, 052 of OCPP 1.6, and what gets no answer."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from stations.services.reservations import expire_reservations
from tests.conformance.messages import at, start_of
from tests.conformance.site import Registered, Site, until
from tests.conformance.wire import WireStation
from tests.stations.ocpp.conftest import in_db

Row = dict[str, Any]


async def reserve(site: Site, station: Registered, tag: str, **fields: Any) -> Row:
    body = {
        "station": station.identity,
        "connector_id": 1,
        "id_token": tag,
        "expires_at": at(datetime.now(UTC) + timedelta(hours=1)),
        **fields,
    }
    row: Row = await site.rest.post("/reservations/", body)
    assert row["status"] == "requested"
    return row


async def settled(site: Site, row: Row, status: str) -> Row:
    """The row once it has this status."""

    async def find() -> Row | None:
        now: Row = await site.rest.get(f"/reservations/{row['id']}/")
        return now if now["status"] == status else None

    found = await until(find)
    assert found is not None
    return found


async def held(site: Site, wire: WireStation, station: Registered, **fields: Any) -> Row:
    """A reservation of a new tag's that the station has accepted."""
    row = await reserve(site, station, await site.make_id_token(), **fields)
    await wire.take("ReserveNow")
    await settled(site, row, "reserved")
    return row


async def open_ones(site: Site, station: Registered) -> list[str]:
    rows = await site.rest.rows("/reservations/", station=station.identity)
    return [row["id"] for row in rows if row["status"] in ("requested", "reserved")]


async def test_tc_046_reserve_a_connector_and_use_it(site: Site) -> None:
    station, tag = await site.make_station(), await site.make_id_token()
    async with site.connect(station) as wire:
        await wire.status(1, "Available")
        expires_at = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=30)
        row = await reserve(site, station, tag, expires_at=at(expires_at))
        sent = await wire.take("ReserveNow")
        assert (sent["connectorId"], sent["idTag"]) == (1, tag)
        assert sent["reservationId"] == row["reservation_id"]
        assert datetime.fromisoformat(sent["expiryDate"]) == expires_at
        await settled(site, row, "reserved")
        await wire.status(1, "Reserved")
        assert await wire.authorize(tag) == "Accepted"
        await wire.status(1, "Preparing")
        start = start_of(tag, reservationId=sent["reservationId"])
        answer = await wire.call("StartTransaction", start)
        assert answer["idTagInfo"]["status"] == "Accepted"
        await wire.status(1, "Charging")
        used = await settled(site, row, "used")
    tx = await site.transaction(answer["transactionId"], station)
    assert used["transaction"] == tx["id"]
    assert await open_ones(site, station) == []


async def test_tc_047_expires(site: Site) -> None:
    station, tag = await site.make_station(), await site.make_id_token()
    async with site.connect(station) as wire:
        expires_at = datetime.now(UTC) + timedelta(seconds=2)
        row = await reserve(site, station, tag, expires_at=at(expires_at))
        await wire.take("ReserveNow")
        await settled(site, row, "reserved")
        await wire.status(1, "Reserved")

        async def over() -> bool:
            # As beat does every few seconds.
            await in_db(expire_reservations)
            return await open_ones(site, station) == []

        await until(over)
        await wire.status(1, "Available")
        assert (await site.connector(station))["status"] == "Available"
        assert wire.calls.empty()
    ended = await settled(site, row, "expired")
    assert datetime.fromisoformat(ended["ended_at"]) >= expires_at.replace(microsecond=0)


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("tc_048_1", "Faulted"),
        ("tc_048_2", "Occupied"),
        ("tc_048_3", "Unavailable"),
        ("tc_048_4", "Rejected"),
    ],
)
async def test_tc_048_refused(site: Site, case: str, said: str) -> None:
    station, tag = await site.make_station(), await site.make_id_token()
    async with site.connect(station) as wire:
        row = await reserve(site, station, tag)
        await wire.take("ReserveNow", {"status": said})
        refused = await settled(site, row, "rejected")
        command = await site.rest.get(f"/commands/{row['command']}/")
    assert refused["reason"] == said
    assert (command["status"], command["response"]) == ("rejected", {"status": said})
    assert await open_ones(site, station) == []


async def test_tc_049_reserve_the_station(site: Site) -> None:
    station, tag = await site.make_station(), await site.make_id_token()
    async with site.connect(station) as wire:
        await wire.status(1, "Available")
        await wire.status(2, "Available")
        row = await reserve(site, station, tag, connector_id=0)
        sent = await wire.take("ReserveNow")
        assert sent["connectorId"] == 0
        await settled(site, row, "reserved")
        start = start_of(tag, connectorId=2, reservationId=sent["reservationId"])
        answer = await wire.call("StartTransaction", start)
        used = await settled(site, row, "used")
    tx = await site.transaction(answer["transactionId"], station)
    assert (used["transaction"], tx["evse_id"]) == (tx["id"], 2)


async def test_tc_051_cancel(site: Site) -> None:
    station = await site.make_station()
    async with site.connect(station) as wire:
        row = await held(site, wire, station)
        command = await site.rest.send("DELETE", f"/reservations/{row['id']}/", status=202)
        assert await wire.take("CancelReservation") == {"reservationId": row["reservation_id"]}
        await wire.status(1, "Available")
        assert (await site.ended(command))["status"] == "accepted"
        await settled(site, row, "cancelled")
    assert await open_ones(site, station) == []


async def test_tc_052_cancel_refused(site: Site) -> None:
    station = await site.make_station()
    async with site.connect(station) as wire:
        row = await held(site, wire, station)
        command = await site.rest.send("DELETE", f"/reservations/{row['id']}/", status=202)
        await wire.take("CancelReservation", {"status": "Rejected"})
        done = await site.ended(command)
        assert (done["status"], done["response"]) == ("rejected", {"status": "Rejected"})
        gone = await settled(site, row, "removed")
        assert gone["reason"] == "Rejected"
        unknown = await site.ask(station, "CancelReservation", reservationId=123456)
        await wire.take("CancelReservation", {"status": "Rejected"})
        assert (await site.ended(unknown))["status"] == "rejected"


async def test_a_raw_request_makes_the_reservation_too(site: Site) -> None:
    station, tag = await site.make_station(), await site.make_id_token()
    async with site.connect(station) as wire:
        asked = {"connectorId": 1, "idTag": tag, "reservationId": 4711}
        expiry = at(datetime.now(UTC) + timedelta(hours=1))
        await site.ask(station, "ReserveNow", expiryDate=expiry, **asked)
        assert await wire.take("ReserveNow") == {"expiryDate": expiry, **asked}
        [row] = await site.rest.rows("/reservations/", station=station.identity)
        now = await settled(site, row, "reserved")
        assert (now["reservation_id"], now["id_token"]) == (4711, tag)
        await wire.call("StartTransaction", start_of(tag, timestamp=at(datetime.now(UTC))))
        await settled(site, row, "used")


async def test_a_station_that_cannot_reserve_says_so(site: Site) -> None:
    station, tag = await site.make_station(), await site.make_id_token()
    async with site.connect(station) as wire:
        row = await reserve(site, station, tag)
        call = await wire.expect("ReserveNow")
        await wire.client.send(f'[4,"{call.message_id}","NotSupported","",{{}}]')
        assert (await settled(site, row, "rejected"))["reason"] == "NotSupported"


async def test_what_waits_for_a_station_that_is_away_is_taken_back_unsent(site: Site) -> None:
    station, tag = await site.make_station(), await site.make_id_token()
    async with site.connect(station):
        pass

    async def away() -> bool:
        return not (await site.station(station))["online"]

    await until(away)
    row = await reserve(site, station, tag)
    await site.rest.send("DELETE", f"/reservations/{row['id']}/", status=202)
    await settled(site, row, "cancelled")
    async with site.connect(station) as wire:
        assert await wire.is_heard()
        assert wire.calls.empty()
