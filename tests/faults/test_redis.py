"""Redis goes away: stations and commands do not notice, pages say that something runs less well.

Source: RELIABILITY check 89; rules 8, 26; DESIGN §2 (Redis only wakes somebody up).
"""

import asyncio
import json
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
import redis

from accounts.services.actors import Actor
from stations.models import Command
from stations.services.commands import queue_command
from tests.factories import make_api_key
from tests.faults.billing import work_outbox
from tests.faults.celery import worked_off
from tests.faults.errands import all_over, errands
from tests.faults.fleet import CALM, HURRIED, UNHURRIED, Fleet
from tests.faults.oracle import judge, judge_errands, judge_sessions
from tests.faults.presence import until_all_were_shown_online, until_right
from tests.faults.raw import socket_of
from tests.faults.site import with_stations
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


# (seconds without Redis, stations)
LONG = pytest.param(60, 100, marks=pytest.mark.faults)


@pytest.mark.parametrize(("seconds", "stations"), [(1, 10), LONG])
async def test_without_redis_stations_and_commands_go_on_and_pages_say_so(
    site, server, tmp_path, say, embedded_services, request, seconds, stations
):
    """It forgets everything, goes, and comes back empty; in the long run beside Celery, whose broker it is."""
    celery = request.getfixturevalue("celery") if stations > 10 else None
    key = await in_db(lambda: make_api_key(site.operator))
    site = await in_db(lambda: with_stations(site, stations + 1))
    *fleet_rows, row = site.stations
    fleet = Fleet(
        site,
        [server.ocpp_url],
        tmp_path / "flash",
        size=len(fleet_rows),
        seed="redis",
        habits=CALM,
        pace=UNHURRIED if celery else HURRIED,
        drain_s=180,
    )
    valkey = embedded_services.valkey
    loop = asyncio.get_running_loop()
    async with fleet.at_work():
        async with errands(site, fleet_rows, every_s=0.2, seed="redis") as asked:
            await fleet.acknowledged(5 * stations)
            await asyncio.to_thread(flush, valkey.url)
            await fleet.acknowledged(5 * stations)
            await asyncio.to_thread(valkey.kill)
            try:
                went_at, before = loop.time(), fleet.journal.counts["acknowledged"]
                await fleet.acknowledged(5 * stations)
                async with socket_of(row, server) as station:
                    await command_comes_and_goes(site, row, station)
                await until_all_were_shown_online(site, fleet)
                await look_at_pages(server, key)
                await asyncio.sleep(max(0, went_at + seconds - loop.time()))
                told = fleet.journal.counts["acknowledged"] - before
            finally:
                await asyncio.to_thread(valkey.start)
            back_at = loop.time()
            async with asyncio.timeout(30):
                await recovered(server)
            await fleet.acknowledged(5 * stations)
        await fleet.come_to_rest()
        await until_right(site, fleet)
        await all_over(site)
    if celery is None:
        await work_outbox()
    await worked_off(site)
    drained_s = loop.time() - back_at
    verdict = await in_db(lambda: judge(fleet.journal, site.operator))
    await in_db(lambda: judge_sessions(verdict, site.operator))
    await in_db(lambda: judge_errands(verdict, fleet.journal, site.operator, asked.queued))
    say(
        f"Redis flushed, then away for {seconds} s under {stations} stations, {told} calls acknowledged"
        f" meanwhile, outbox empty {drained_s:.1f} s after its return, {verdict}"
    )
    assert verdict.clean, verdict
    assert celery is None or celery.is_running
    assert verdict.numbers["sent again"] == 0
    assert verdict.numbers["commands timed_out"] == 0
    assert verdict.numbers["starts"] > 10


def flush(url):
    """Everything in it is gone: the broker's queues, the cache, who listens to which group."""
    with redis.Redis.from_url(url) as client:
        client.flushall()


async def command_comes_and_goes(site, row, station):
    command = await in_db(
        lambda: queue_command(
            station=row, action="ClearCache", payload={}, acting=Actor.system(site.operator)
        )
    )
    await station.answer(await station.expect_call("ClearCache"), {"status": "Accepted"})
    await eventually(lambda: Command.objects.filter(pk=command.pk, status="accepted").exists())


async def look_at_pages(server, key):
    """They say that something runs less well, and go on."""
    assert (await asyncio.to_thread(get, server, "/healthz"))[0] == 200
    status, body = await asyncio.to_thread(get, server, "/readyz")
    ready = json.loads(body)
    assert (status, ready["status"]) == (200, "degraded")
    assert (ready["checks"]["database"], ready["checks"]["redis"]) == ("ok", "degraded")
    status, body = await asyncio.to_thread(get, server, "/api/v1/stations/", key)
    assert status == 200, body
    assert (await asyncio.to_thread(get, server, "/login/"))[0] == 200


async def recovered(server):
    while True:
        _, body = await asyncio.to_thread(get, server, "/readyz")
        if json.loads(body)["checks"]["redis"] == "ok":
            return
        await asyncio.sleep(0.2)
