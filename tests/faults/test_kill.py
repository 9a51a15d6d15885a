"""kill -9 of the server under stations at work: nothing acknowledged is lost or doubled, nothing is done twice.

Source: RELIABILITY checks 70, 72, 86; rules 1, 4, 5, 6, 8.
"""

import asyncio
import random

import pytest

from tests.faults.billing import work_outbox
from tests.faults.celery import worked_off
from tests.faults.errands import all_over, errands
from tests.faults.fleet import UNHURRIED, Fleet
from tests.faults.oracle import judge, judge_errands, judge_sessions
from tests.faults.presence import (
    until_all_were_shown_online,
    until_nobody_is_shown_online,
    until_right,
)
from tests.faults.site import with_stations
from tests.stations.ocpp.conftest import in_db


async def test_acknowledged_facts_survive_kills_exactly_once(site, make_server, tmp_path, say):
    """At the worst moments, one right after the other."""
    kills, stations = 2, 8
    server = await make_server()
    rng = random.Random(kills)
    fleet = Fleet(site, [server.ocpp_url], tmp_path, size=stations, seed=f"kill {kills}")
    async with fleet.at_work():
        for _ in range(kills):
            # Some kills hit the storm of returning stations, some a fleet at work.
            await fleet.acknowledged(stations * rng.choice((1, 3, 6)))
            await asyncio.sleep(rng.uniform(0, 0.3))
            await server.killed()
            await server.up()
        await fleet.acknowledged(50)
        await fleet.come_to_rest()
    verdict = await in_db(lambda: judge(fleet.journal, site.operator))
    await work_outbox()
    await in_db(lambda: judge_sessions(verdict, site.operator))
    say(f"{kills} kills, {verdict}, reboots with a queued Start {fleet.queued_start_reboots}")
    assert verdict.clean, verdict
    # That something was at stake.
    assert verdict.numbers["starts"] > stations
    assert verdict.numbers["stops"] > stations
    assert verdict.numbers["readings"] > 5 * stations
    assert verdict.numbers["sent again"] > 0
    assert verdict.numbers["CDRs"] > 0
    assert fleet.queued_start_reboots > 0


@pytest.mark.faults
@pytest.mark.parametrize(("kills", "every_s", "stations"), [(20, 30, 200)])
async def test_a_gateway_killed_again_and_again_under_many_stations(
    site, make_server, celery, tmp_path, say, kills, every_s, stations
):
    """With worker and beat beside it, and commands under way all the time."""
    site = await in_db(lambda: with_stations(site, stations))
    server = await make_server()
    fleet = Fleet(
        site,
        [server.ocpp_url],
        tmp_path / "flash",
        size=stations,
        seed="many",
        pace=UNHURRIED,
        drain_s=180,
    )
    loop = asyncio.get_running_loop()
    right_s, stale_s = [], []
    async with fleet.at_work():
        async with errands(site, site.stations, every_s=0.2, seed="many") as asked:
            began_at = loop.time()
            for number in range(1, kills + 1):
                await asyncio.sleep(max(0, began_at + number * every_s - loop.time()))
                await server.killed()
                if number % 5 == 0:
                    stale_s.append(await until_nobody_is_shown_online(site))
                await server.up()
                right_s.append(await until_all_were_shown_online(site, fleet))
            await fleet.acknowledged(stations)
        await fleet.come_to_rest()
        rest_s = await until_right(site, fleet)
        await all_over(site)
    verdict = await in_db(lambda: judge(fleet.journal, site.operator))
    await worked_off(site)
    await in_db(lambda: judge_sessions(verdict, site.operator))
    await in_db(lambda: judge_errands(verdict, fleet.journal, site.operator, asked.queued))
    say(
        f"{kills} kills, {stations} stations, {verdict}, reboots with a queued Start"
        f" {fleet.queued_start_reboots}; all shown online again after at most {max(right_s):.1f} s"
        f" (mean {sum(right_s) / kills:.1f}), nobody shown online {max(stale_s):.1f} s after a kill,"
        f" all right {rest_s:.1f} s after coming to rest"
    )
    assert verdict.clean, verdict
    assert celery.is_running
    # That something was at stake.
    assert min(verdict.numbers[name] for name in ("starts", "stops", "CDRs")) > kills * stations / 5
    assert verdict.numbers["sent again"] > kills
    assert verdict.numbers["commands accepted"] > kills
