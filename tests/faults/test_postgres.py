"""PostgreSQL goes away under load and comes back: silence meanwhile, never a false answer, no restart needed.

Source: RELIABILITY check 88; rules 1, 26; DESIGN §6 (decide from memory).
"""

import asyncio

import pytest

from accounts.models import IdToken
from accounts.services.actors import Actor
from stations.models import Command
from stations.services.commands import queue_command
from stations.simulator.client import HandshakeRefused, RawClient
from tests.faults.billing import work_outbox
from tests.faults.errands import all_over, errands
from tests.faults.fleet import CALM, HURRIED, UNHURRIED, Fleet
from tests.faults.listeners import deafen, listening
from tests.faults.oracle import judge, judge_errands, judge_sessions
from tests.faults.presence import until_all_were_shown_online, until_right
from tests.faults.raw import reading, socket_of, start, stop
from tests.faults.site import PASSWORD, with_stations
from tests.stations.ocpp.conftest import eventually, in_db

# (how it ends, seconds without a database, stations)
SHORT = ("stop", 2, 10)
LONG = [
    pytest.param(how, seconds, stations, marks=pytest.mark.faults)
    for how, seconds, stations in (("stop", 60, 100), ("kill", 10, 20))
]


@pytest.mark.parametrize(("how", "seconds", "stations"), [SHORT, *LONG])
async def test_nothing_is_promised_without_a_database_and_all_is_told_again(
    site, server, tmp_path, say, embedded_services, how, seconds, stations
):
    site = await in_db(lambda: with_stations(site, stations + 2))
    *fleet_rows, refused_row, asked_row = site.stations
    fleet = Fleet(
        site,
        [server.ocpp_url],
        tmp_path,
        size=len(fleet_rows),
        seed="postgres",
        call_timeout_s=5,
        habits=CALM,
        pace=UNHURRIED if stations > 20 else HURRIED,
        drain_s=180,
    )
    loop = asyncio.get_running_loop()
    async with fleet.at_work():
        async with errands(site, fleet_rows, every_s=0.2, seed="postgres") as asked:
            await fleet.acknowledged(10 * stations)
            postgres = embedded_services.postgres
            await asyncio.to_thread(postgres.stop if how == "stop" else postgres.kill)
            try:
                went_at = loop.time()
                with pytest.raises(HandshakeRefused) as refused:
                    await RawClient.open(server.ocpp_url, refused_row.identity, password=PASSWORD)
                assert refused.value.status == 503
                # What was answered before it went has arrived by now.
                facts_before = _facts_acknowledged(fleet)
                await asyncio.sleep(max(0, went_at + seconds - loop.time()))
                assert _facts_acknowledged(fleet) == facts_before
            finally:
                await asyncio.to_thread(postgres.start)
            back_at = loop.time()
            await fleet.acknowledged(1)
            served_s = loop.time() - back_at
            await until_all_were_shown_online(site, fleet)
            shown_s = loop.time() - back_at
            async with asyncio.timeout(60):
                await _opens(server, refused_row)
            await _command_reaches(server, site, asked_row)
            await fleet.acknowledged(10 * stations)
        await fleet.come_to_rest()
        await until_right(site, fleet)
        await all_over(site)
    verdict = await in_db(lambda: judge(fleet.journal, site.operator))
    await work_outbox()
    await in_db(lambda: judge_sessions(verdict, site.operator))
    await in_db(lambda: judge_errands(verdict, fleet.journal, site.operator, asked.queued))
    say(
        f"PostgreSQL {how} for {seconds} s under {stations} stations, served again after"
        f" {served_s:.1f} s, all shown online after {shown_s:.1f} s, {verdict}"
    )
    assert verdict.clean, verdict
    assert verdict.numbers["sent again"] > 0


def _facts_acknowledged(fleet):
    journal = fleet.journal
    facts = (
        journal.acknowledged_starts,
        journal.acknowledged_stops,
        journal.acknowledged_readings,
    )
    return sum(len(kind()) for kind in facts)


async def _opens(server, row):
    while True:
        try:
            async with socket_of(row, server):
                return
        except HandshakeRefused as refused:
            assert refused.status == 503
            await asyncio.sleep(0.2)


async def _command_reaches(server, site, row):
    async with socket_of(row, server) as station:
        command = await in_db(
            lambda: queue_command(
                station=row, action="ClearCache", payload={}, acting=Actor.system(site.operator)
            )
        )
        await station.answer(await station.expect_call("ClearCache"), {"status": "Accepted"})
        await eventually(lambda: Command.objects.filter(pk=command.pk, status="accepted").exists())


async def test_a_station_gets_no_error_while_the_database_is_away(site, server, embedded_services):
    """Three CALLERRORs, and a station throws its message away; silence makes it keep it."""
    [token, other, *_] = site.id_tokens
    async with socket_of(site.stations[0], server) as station:
        running = (await station.result("StartTransaction", start(token.uid)))["transactionId"]
        await asyncio.to_thread(embedded_services.postgres.stop)
        try:
            # The token has to be looked up, which takes longer than the pool's patience.
            call = asyncio.create_task(
                station.call("StartTransaction", start(other.uid, connectorId=2))
            )
            done, _ = await asyncio.wait([call], timeout=7)
            assert not done, call.result()
        finally:
            await asyncio.to_thread(embedded_services.postgres.start)
        answer = await call
        assert (answer[0], answer[2]["idTagInfo"]) == (3, {"status": "Accepted"})
        assert await station.result("MeterValues", reading(running)) == {}
        assert await station.result("StopTransaction", stop(running)) == {}


async def test_a_token_blocked_while_notifications_were_not_heard_is_refused(site, server):
    token = site.id_tokens[0]
    async with socket_of(site.stations[0], server) as station:

        async def status():
            return (await station.result("Authorize", {"idTag": token.uid}))["idTagInfo"]["status"]

        assert await status() == "Accepted"
        assert await status() == "Accepted"
        await listening()
        block = "UPDATE accounts_idtoken SET status = 'blocked' WHERE id = %s"
        await in_db(lambda: deafen(block, token.pk))
        async with asyncio.timeout(10):
            while await status() == "Accepted":
                await asyncio.sleep(0.05)
        assert await status() == "Blocked"


async def test_a_token_blocked_right_after_a_restart_is_refused(site, server, embedded_services):
    token = site.id_tokens[0]
    async with socket_of(site.stations[0], server) as station:
        assert (await station.result("Authorize", {"idTag": token.uid}))["idTagInfo"] == {
            "status": "Accepted"
        }
        await asyncio.to_thread(embedded_services.postgres.stop)
        await asyncio.to_thread(embedded_services.postgres.start)
        await in_db(lambda: IdToken.objects.filter(pk=token.pk).update(status="blocked"))
        answer = await station.result("Authorize", {"idTag": token.uid})
        assert answer["idTagInfo"] == {"status": "Blocked"}
