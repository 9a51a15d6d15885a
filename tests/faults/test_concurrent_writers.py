"""Two gateways and other people's transactions write the same rows: the database's quarrels stay inside.

Source: RELIABILITY checks 58, 95; DESIGN §6 (writer's rules).
"""

import asyncio
import json
import random

import psycopg
import pytest

from stations.models import Transaction
from stations.simulator.client import ConnectionLost
from tests.faults.billing import work_outbox
from tests.faults.fleet import Fleet
from tests.faults.oracle import judge, judge_sessions
from tests.faults.raw import answer_to, frame, socket_of, start
from tests.server import test_database_url
from tests.stations.ocpp.conftest import in_db


async def quarrel(site, rng, until):
    """Lock rows of the hot path in the wrong order, for ever; returns how often that ended in a deadlock."""
    stations = [row.pk for row in site.stations]
    tokens = [token.pk for token in site.id_tokens]
    deadlocks = 0
    async with await psycopg.AsyncConnection.connect(test_database_url()) as connection:
        await connection.execute("SET deadlock_timeout = '50ms'")
        await connection.commit()
        while not until.is_set():
            try:
                for _ in range(3):
                    await connection.execute(
                        "UPDATE stations_stationstate SET boot_count = boot_count WHERE station_id = %s",
                        [rng.choice(stations)],
                    )
                    await connection.execute(
                        "UPDATE accounts_idtoken SET last_used_at = last_used_at WHERE id = %s",
                        [rng.choice(tokens)],
                    )
                    await connection.execute(
                        "UPDATE stations_transaction SET review_reasons = review_reasons"
                        " WHERE station_id = %s AND is_current",
                        [rng.choice(stations)],
                    )
                    await asyncio.sleep(rng.uniform(0, 0.1))
                await connection.commit()
            except psycopg.errors.DeadlockDetected:
                deadlocks += 1
                await connection.rollback()
            await asyncio.sleep(0)
    return deadlocks


@pytest.mark.parametrize(
    ("calls", "stations"), [(400, 12), pytest.param(4_000, 20, marks=pytest.mark.faults)]
)
async def test_no_quarrel_in_the_database_reaches_a_station(
    site, server, second_server, tmp_path, say, calls, stations
):
    urls = [server.ocpp_url, second_server.ocpp_url]
    fleet = Fleet(site, urls, tmp_path, size=stations, seed="writers", call_timeout_s=20)
    over = asyncio.Event()
    async with fleet.at_work():
        others = [
            asyncio.create_task(quarrel(site, random.Random(number), over)) for number in range(2)
        ]
        try:
            await fleet.acknowledged(calls)
        finally:
            over.set()
            deadlocks = sum(await asyncio.gather(*others))
        await fleet.come_to_rest()
    verdict = await in_db(lambda: judge(fleet.journal, site.operator))
    await work_outbox()
    await in_db(lambda: judge_sessions(verdict, site.operator))
    say(f"{calls} calls over two processes, {deadlocks} deadlocks of others, {verdict}")
    assert verdict.clean, verdict
    assert verdict.numbers["starts"] > stations


@pytest.mark.parametrize("copies", [100])
async def test_copies_of_one_start_over_two_sockets_of_two_processes_are_one_transaction(
    site, server, second_server, copies
):
    row, token = site.stations[0], site.id_tokens[0]
    begun = start(token.uid)
    async with socket_of(row, server) as one, socket_of(row, second_server, boot=False) as two:
        # The older socket is closed by and by; what it has taken by then counts all the same.
        for number in range(copies // 2):
            await two.client.send(frame(f"two-{number}", "StartTransaction", begun))
            try:
                await one.client.send(frame(f"one-{number}", "StartTransaction", begun))
            except ConnectionLost:
                continue
        ids = {
            (await answer_to(two, f"two-{number}"))[2]["transactionId"]
            for number in range(copies // 2)
        }
        while True:
            try:
                ids.add(json.loads(await one.client.receive(10))[2]["transactionId"])
            except ConnectionLost:
                break
    assert len(ids) == 1
    [tx] = await in_db(lambda: list(Transaction.objects.filter(station=row)))
    assert {tx.pk} == ids
