"""Somebody holds one row: that station waits without an answer, all others go on.

Source: RELIABILITY checks 71, 96; rule 1; DESIGN §6 (writer's rules).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import psycopg
import pytest

from stations.models import MeterValue, Transaction
from tests.faults.raw import answer_to, frame, reading, socket_of, start, stop
from tests.server import test_database_url
from tests.stations.ocpp.conftest import eventually, in_db

NEIGHBOURS = 5
STATUS = {"connectorId": 1, "errorCode": "NoError", "status": "Charging"}


@asynccontextmanager
async def held(table: str, column: str, key: object) -> AsyncIterator[None]:
    """Lock one row for the length of the block."""
    async with await psycopg.AsyncConnection.connect(test_database_url()) as connection:
        cursor = await connection.execute(
            f"SELECT 1 FROM {table} WHERE {column} = %s FOR UPDATE",  # noqa: S608
            [key],
        )
        assert await cursor.fetchone()
        yield
        await connection.rollback()


@asynccontextmanager
async def neighbours(site, server):
    """Open sockets of five other stations."""
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(socket_of(row, server))
            for row in site.stations[1 : 1 + NEIGHBOURS]
        ]


async def lives(station, token):
    """One whole session; every call must be answered."""
    tx = (await station.result("StartTransaction", start(token.uid)))["transactionId"]
    await station.result("MeterValues", reading(tx))
    await station.result("StatusNotification", STATUS)
    await station.result("StopTransaction", stop(tx))


@pytest.mark.parametrize("rounds", [2, pytest.param(20, marks=pytest.mark.faults)])
async def test_a_held_station_is_not_answered_and_its_retry_gets_the_one_id(site, server, rounds):
    row, token = site.stations[0], site.id_tokens[0]
    async with socket_of(row, server) as station, neighbours(site, server) as others:
        begun = start(token.uid)
        async with held("stations_stationstate", "station_id", row.pk):
            first = asyncio.create_task(station.call("StartTransaction", begun, "first"))
            for _ in range(rounds):
                await asyncio.gather(*(lives(other, site.id_tokens[1]) for other in others))
            # The station loses patience and sends it again, with another message id.
            await station.client.send(frame("again", "StartTransaction", begun))
            await asyncio.gather(*(lives(other, site.id_tokens[1]) for other in others))
            assert not first.done()
            assert not await in_db(lambda: Transaction.objects.filter(station=row).exists())
        answers = [await first, await answer_to(station, "again")]
        ids = {answer[2]["transactionId"] for answer in answers}
        assert len(ids) == 1, answers
        [tx] = await in_db(lambda: list(Transaction.objects.filter(station=row)))
        assert {tx.pk} == ids
        await station.result("StopTransaction", stop(tx.pk))
    assert await in_db(lambda: _sessions(site)) == 1 + NEIGHBOURS * (rounds + 1)


async def test_a_stop_waits_for_its_held_transaction_and_closes_it_once(site, server):
    row, token = site.stations[0], site.id_tokens[0]
    async with socket_of(row, server) as station, neighbours(site, server) as others:
        tx = (await station.result("StartTransaction", start(token.uid)))["transactionId"]
        ended = stop(tx)
        async with held("stations_transaction", "id", tx):
            first = asyncio.create_task(station.call("StopTransaction", ended, "first"))
            await asyncio.gather(*(lives(other, site.id_tokens[1]) for other in others))
            await station.client.send(frame("again", "StopTransaction", ended))
            assert not first.done()
        assert (await first)[0] == 3
        assert (await answer_to(station, "again"))[0] == 3
    row = await in_db(lambda: Transaction.objects.get(pk=tx))
    assert (row.meter_stop_wh, row.review_reasons) == (ended["meterStop"], [])


async def test_a_held_token_holds_up_its_own_starts_only(site, server):
    """Somebody saves the token's form; starting with it waits, with others it does not."""
    row, token = site.stations[0], site.id_tokens[0]
    async with socket_of(row, server) as station, neighbours(site, server) as others:
        async with held("accounts_idtoken", "id", token.pk):
            first = asyncio.create_task(station.call("StartTransaction", start(token.uid)))
            await asyncio.gather(*(lives(other, site.id_tokens[1]) for other in others))
            assert not first.done()
        assert (await first)[0] == 3


async def test_a_station_can_come_back_once_its_row_is_free(site, server):
    """Held while the socket is cut and dialled again: nothing is stored twice, presence is right."""
    row, token = site.stations[0], site.id_tokens[0]
    begun = start(token.uid)
    async with neighbours(site, server) as others:
        async with socket_of(row, server) as station:
            async with held("stations_stationstate", "station_id", row.pk):
                await station.client.send(frame("lost", "StartTransaction", begun))
                await asyncio.gather(*(lives(other, site.id_tokens[1]) for other in others))
                station.client.abort()
                redial = socket_of(row, server)
                dialling = asyncio.create_task(redial.__aenter__())
                await asyncio.gather(*(lives(other, site.id_tokens[1]) for other in others))
                assert not dialling.done()
            back = await dialling
        tx = (await back.result("StartTransaction", begun))["transactionId"]
        await back.result("MeterValues", reading(tx))
        await redial.__aexit__(None, None, None)
    await eventually(lambda: _closed(row))
    assert await in_db(lambda: Transaction.objects.filter(station=row).count()) == 1
    assert await in_db(lambda: MeterValue.objects.filter(transaction_id=tx).count()) == 1


def _closed(row):
    row.state.refresh_from_db()
    return not row.state.connected


def _sessions(site):
    return Transaction.objects.filter(station__operator=site.operator, status="ended").count()
