"""The virtual charger against a running server: what one says is what the other shows."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from stations.simulator import VirtualStation
from stations.simulator.outlet import AC_22
from tests.conformance.messages import at
from tests.conformance.site import Registered, Site, until

Row = dict[str, Any]


@asynccontextmanager
async def charger(site: Site, station: Registered) -> AsyncIterator[VirtualStation]:
    """Two outlets, in a hurry; what it does not know may not charge while it is offline."""
    async with VirtualStation(
        site.server.ocpp_url,
        station.identity,
        password=station.password,
        connectors=[AC_22, AC_22],
        speed=600,
        reconnect_base_s=0.01,
        configuration={"AllowOfflineTxForUnknownId": "false"},
    ) as virtual:
        yield virtual


async def settled(site: Site, path: str, **wanted: Any) -> Row:
    """What is at an address once it is as wanted."""

    async def find() -> Row | None:
        now: Row = await site.rest.get(path)
        return now if all(now[name] == value for name, value in wanted.items()) else None

    found = await until(find)
    assert found is not None
    return found


async def test_a_place_is_kept_free_for_one_card(site: Site) -> None:
    station, tag = await site.make_station(), await site.make_id_token()
    other = await site.make_id_token()
    async with charger(site, station) as virtual:
        body = {
            "station": station.identity,
            "evse_id": 1,
            "id_token": tag,
            "expires_at": at(datetime.now(UTC) + timedelta(minutes=10)),
        }
        row = await site.rest.post("/reservations/", body)
        path = f"/reservations/{row['id']}/"
        await settled(site, path, status="reserved")

        async def shows_it() -> bool:
            return (await site.connector(station))["status"] == "Reserved"

        await until(shows_it)
        await virtual.plug(1)
        assert await virtual.tap(other, 1) == "Reserved"
        assert await virtual.tap(tag, 1) == "Accepted"
        used = await settled(site, path, status="used")
        [tx] = await site.transactions(station)
        assert (used["transaction"], tx["id_token"]) == (tx["id"], tag)


async def test_a_reservation_is_given_up(site: Site) -> None:
    station, tag = await site.make_station(), await site.make_id_token()
    async with charger(site, station) as virtual:
        body = {
            "station": station.identity,
            "evse_id": 0,
            "id_token": tag,
            "expires_at": at(datetime.now(UTC) + timedelta(minutes=10)),
        }
        row = await site.rest.post("/reservations/", body)
        path = f"/reservations/{row['id']}/"
        await settled(site, path, status="reserved")
        await site.rest.send("DELETE", path, status=202)
        await settled(site, path, status="cancelled")
        assert virtual.reservations.held == {}


async def test_a_list_of_cards_decides_while_the_charger_is_offline(site: Site) -> None:
    station, good = await site.make_station(), await site.make_id_token()
    falls = await site.rest.post("/id-tokens/", {"uid": f"F{good[1:]}"})
    path = f"{station.path}local-list/"
    async with charger(site, station) as virtual:
        virtual.configuration.set("SendLocalListMaxLength", "1")
        await site.ended(await site.ask(station, "GetConfiguration"))

        async def told() -> list[Row]:
            return await site.rest.rows(f"{station.path}variables/?variable=SendLocalListMaxLength")

        await until(told)
        await site.rest.post(path, {"type": "full"}, status=202)
        await settled(site, path, version=2, command=None)
        assert virtual.local_list.version == 2
        await site.rest.patch(f"/id-tokens/{falls['id']}/", {"status": "blocked"})
        await settled(site, path, version=3)
        await virtual.go_offline()
        assert await virtual.authorize(good) == "Accepted"
        assert await virtual.authorize(falls["uid"]) == "Blocked"
        assert await virtual.authorize("NOBODY") == "Invalid"
