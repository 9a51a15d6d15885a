"""The network between station and server fails in each way that it knows; the stations do what stations do.

Source: RELIABILITY checks 9, 55, 58, 62, 91, 92; rules 4 to 6.
"""

import asyncio

import pytest

from stations.models import Connection
from stations.simulator import Journal, VirtualStation
from stations.simulator.curve import Vehicle
from tests.faults.billing import work_outbox
from tests.faults.errands import all_over, errands
from tests.faults.fleet import CALM, HURRIED, UNHURRIED, Fleet
from tests.faults.oracle import judge, judge_errands, judge_sessions
from tests.faults.presence import RIGHT_WITHIN_S, shown_online, until_right
from tests.faults.proxy import fault_proxy
from tests.faults.site import PASSWORD, with_stations
from tests.stations.ocpp.conftest import eventually, in_db


def station_behind(proxy, site, journal, *, call_timeout_s=10):
    return VirtualStation(
        proxy.ocpp_url,
        site.stations[0].identity,
        password=PASSWORD,
        speed=30,
        journal=journal,
        configuration={"MeterValueSampleInterval": "9"},
        call_timeout_s=call_timeout_s,
        reconnect_base_s=0.1,
        reconnect_cap_s=0.2,
    )


async def one_session(station, card):
    await station.plug(vehicle=Vehicle(soc_percent=20))
    await station.tap(card)
    await station.charge(duration_s=30)
    await station.unplug()
    await station.drained()


@pytest.mark.parametrize("action", ["StartTransaction", "MeterValues", "StopTransaction"])
async def test_a_reply_that_never_arrived_is_given_again(site, server, action):
    """The station's line is cut when it waits for it, and it tells the same thing on its next one."""
    journal = Journal()
    eaten = asyncio.Event()

    def is_meant(text):
        """The reply to the first message of this kind."""
        sent = journal.sent(action)
        meant = bool(sent) and text.startswith(f'[3,"{sent[0].message_id}"')
        if meant:
            eaten.set()
        return meant

    async with fault_proxy(server.port) as proxy:
        proxy.drop_reply(is_meant)
        async with station_behind(proxy, site, journal) as station:
            session = asyncio.create_task(one_session(station, site.id_tokens[0].uid))
            async with asyncio.timeout(20):
                await eaten.wait()
            proxy.cut()
            await session
        assert len(proxy.dropped) == 1
        assert proxy.accepted == 2
    verdict = await in_db(lambda: judge(journal, site.operator))
    assert verdict.clean, verdict
    assert verdict.numbers["sent again"] == 1
    assert (verdict.numbers["transactions"], verdict.numbers["stops"]) == (1, 1)


async def test_an_answer_slower_than_the_stations_patience_is_no_second_session(site, server):
    """It gives up waiting and tells it again, over and over, while the first answer is on its way."""
    journal = Journal()
    async with (
        fault_proxy(server.port) as proxy,
        station_behind(proxy, site, journal, call_timeout_s=0.3) as station,
    ):
        proxy.delay_s = 0.5
        session = asyncio.create_task(one_session(station, site.id_tokens[0].uid))
        async with asyncio.timeout(20):
            while len(journal.sent("StartTransaction")) < 4:
                await asyncio.sleep(0.01)
        proxy.delay_s = 0.0
        await session
    verdict = await in_db(lambda: judge(journal, site.operator))
    assert verdict.clean, verdict
    assert verdict.numbers["sent again"] >= 3
    assert verdict.numbers["transactions"] == 1


async def test_everything_told_over_two_sockets_at_once_is_there_once(site, server):
    """The newer socket wins; whether the older one still got to say something first, nothing is there twice."""
    journal = Journal()
    async with fault_proxy(server.port) as proxy:
        proxy.twin_next()
        async with station_behind(proxy, site, journal) as station:
            await one_session(station, site.id_tokens[0].uid)
    assert await eventually(lambda: _fenced(site))
    verdict = await in_db(lambda: judge(journal, site.operator))
    # Only the inbox may know that something was told twice.
    assert [v for v in verdict.violations if " messages (" not in v[1]] == [], verdict
    assert (verdict.numbers["transactions"], verdict.numbers["stops"]) == (1, 1)


LONG = pytest.param(100, 20, marks=pytest.mark.faults)


@pytest.mark.parametrize(("stations", "late"), [(5, 0), LONG])
async def test_stations_that_vanished_without_a_word_come_back_on_new_sockets(
    site, server, tmp_path, say, stations, late
):
    """The old sockets stay open and silent. The last few stations come late, when they are shown offline."""
    site = await in_db(lambda: with_stations(site, stations))
    pace = UNHURRIED if stations > 20 else HURRIED
    loop = asyncio.get_running_loop()
    async with fault_proxy(server.port) as proxy:
        fleet = Fleet(
            site,
            [proxy.ocpp_url],
            tmp_path / "flash",
            size=stations,
            seed="half-open",
            habits=CALM,
            drain_s=180,
            pace=pace,
        )
        gone = fleet.members[stations - late :]
        rows = site.stations[:stations]
        async with fleet.at_work():
            async with errands(site, rows, every_s=0.2, seed="half-open") as asked:
                await fleet.acknowledged(stations * 3)
                dead = proxy.go_dead()
                went_at = loop.time()
                for member in fleet.members:
                    member.vanish(for_long=member in gone)
                await fleet.acknowledged(stations)
                back = {member.identity for member in fleet.members} - {m.identity for m in gone}
                await eventually(
                    lambda: back <= shown_online(site) and _fenced(site) >= len(back),
                    timeout_s=RIGHT_WITHIN_S,
                )
                back_s = loop.time() - went_at
                offline_s = 0.0
                if gone:
                    # Nobody may be told for longer than three pings that they are there.
                    await eventually(lambda: shown_online(site) == back, timeout_s=90)
                    offline_s = loop.time() - went_at
                    for member in gone:
                        member.come_back()
                await fleet.acknowledged(stations)
            await fleet.come_to_rest()
            right_s = await until_right(site, fleet)
            # What is left of the old sockets ends at last, and nobody who is there is taken for gone.
            assert proxy.accepted >= stations + dead
            await all_over(site)
            assert await in_db(lambda: len(shown_online(site))) == stations
        verdict = await in_db(lambda: judge(fleet.journal, site.operator))
    await work_outbox()
    await in_db(lambda: judge_sessions(verdict, site.operator))
    await in_db(lambda: judge_errands(verdict, fleet.journal, site.operator, asked.queued))
    say(
        f"{dead} sockets half-open, {verdict}; back over new ones and shown so after {back_s:.1f} s,"
        f" those that stayed away shown offline after {offline_s:.1f} s, all right {right_s:.1f} s"
        " after coming to rest"
    )
    assert dead == stations
    assert verdict.clean, verdict
    assert verdict.numbers["starts"] > stations


def _fenced(site):
    return Connection.objects.filter(
        station__operator=site.operator, close_reason="superseded"
    ).count()
