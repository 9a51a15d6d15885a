"""Redis goes away: stations and commands do not notice, pages say that something runs less well.

Source: RELIABILITY check 89; rules 8, 26; DESIGN §2 (Redis only wakes somebody up).
"""

import asyncio
import json
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from accounts.services.actors import Actor
from stations.models import Command
from stations.services.commands import queue_command
from tests.factories import make_api_key
from tests.faults.fleet import CALM, Fleet
from tests.faults.oracle import judge
from tests.faults.raw import socket_of
from tests.stations.ocpp.conftest import eventually, in_db


def get(server, path, key=None):
    """Status and body of a page."""
    request = Request(  # noqa: S310 - our own address
        f"{server.http_url}{path}", headers={"Authorization": f"Bearer {key}"} if key else {}
    )
    try:
        with urlopen(request, timeout=20) as response:  # noqa: S310
            return response.status, response.read()
    except HTTPError as error:
        return error.code, error.read()


@pytest.mark.parametrize("calls", [200, pytest.param(2000, marks=pytest.mark.faults)])
async def test_without_redis_stations_and_commands_go_on_and_pages_say_so(
    site, server, tmp_path, say, embedded_services, calls
):
    key = await in_db(lambda: make_api_key(site.operator))
    fleet = Fleet(site, [server.ocpp_url], tmp_path, size=10, seed="redis", habits=CALM)
    row = site.stations[15]
    async with fleet.at_work(), socket_of(row, server) as station:
        await asyncio.to_thread(embedded_services.valkey.kill)
        try:
            await fleet.acknowledged(calls)
            command = await in_db(
                lambda: queue_command(
                    station=row,
                    action="ClearCache",
                    payload={},
                    acting=Actor.system(site.operator),
                )
            )
            await station.answer(await station.expect_call("ClearCache"), {"status": "Accepted"})
            await eventually(
                lambda: Command.objects.filter(pk=command.pk, status="accepted").exists()
            )
            assert (await asyncio.to_thread(get, server, "/healthz"))[0] == 200
            status, body = await asyncio.to_thread(get, server, "/readyz")
            ready = json.loads(body)
            assert (status, ready["status"]) == (200, "degraded")
            assert (ready["checks"]["database"], ready["checks"]["redis"]) == ("ok", "degraded")
            status, body = await asyncio.to_thread(get, server, "/api/v1/stations/", key)
            assert status == 200, body
            assert (await asyncio.to_thread(get, server, "/login/"))[0] == 200
        finally:
            await asyncio.to_thread(embedded_services.valkey.start)
        await fleet.acknowledged(50)
        await fleet.come_to_rest()

    async def recovered():
        while True:
            _, body = await asyncio.to_thread(get, server, "/readyz")
            if json.loads(body)["checks"]["redis"] == "ok":
                return
            await asyncio.sleep(0.2)

    async with asyncio.timeout(30):
        await recovered()
    verdict = await in_db(lambda: judge(fleet.journal, site.operator))
    say(f"{calls} calls without Redis, {verdict}")
    assert verdict.clean, verdict
    assert verdict.numbers["sent again"] == 0
    assert verdict.numbers["starts"] > 10
