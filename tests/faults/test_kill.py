"""kill -9 of the server at random moments under twenty stations: nothing acknowledged is lost or doubled.

Source: RELIABILITY checks 70, 72, 86; rules 1, 4, 5.
"""

import asyncio
import random

import pytest

from tests.faults.billing import work_outbox
from tests.faults.fleet import Fleet
from tests.faults.oracle import judge, judge_sessions
from tests.stations.ocpp.conftest import in_db

LONG = pytest.param(20, 20, marks=pytest.mark.faults)


@pytest.mark.parametrize(("kills", "stations"), [(2, 8), LONG])
async def test_acknowledged_facts_survive_kills_exactly_once(
    site, make_server, tmp_path, say, kills, stations
):
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
