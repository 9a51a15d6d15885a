"""The writer when the database's answer is lost, or somebody is in its way.

Source: RELIABILITY check 72; rules 1, 3, 4; DESIGN §6 (writer's rules).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import psycopg
import pytest

from cms.base.models import OutboxItem
from stations.ingest.facts import BootReported, ConnectionOpened
from stations.ingest.writer import Writer
from stations.models import Connection, MeterValue, OcppMessage, StationState, Transaction
from tests.server import test_database_url
from tests.stations.ingest.test_writer import end_of, reading_of, report_of, seen_of, start_of
from tests.stations.ocpp.conftest import in_db

NOW = datetime.now(UTC)


class Cut(psycopg.AsyncConnection):
    """Loses the database's answer to a COMMIT, as a network does: it was committed, nobody knows."""

    commits_to_lose = 0

    @asynccontextmanager
    async def transaction(self, *args, **kwargs) -> AsyncIterator[psycopg.AsyncTransaction]:
        async with super().transaction(*args, **kwargs) as transaction:
            yield transaction
        if type(self).commits_to_lose:
            type(self).commits_to_lose -= 1
            await self.close()
            raise psycopg.OperationalError("server closed the connection unexpectedly")


@pytest.fixture
async def writer(site) -> AsyncIterator[Writer]:
    address = test_database_url()

    async def connect() -> psycopg.AsyncConnection:
        return await Cut.connect(address, autocommit=True)

    writer = Writer(connect, lambda stations: None)
    await writer.start()
    yield writer
    Cut.commits_to_lose = 0
    await writer.stop()


async def test_what_was_committed_unknown_to_us_is_not_written_twice(site, writer):
    """One after the other, each with the answer lost: the same fact is the same row."""
    station = site.stations[0]

    async def record(*facts):
        Cut.commits_to_lose = 1
        results = await writer.record(*facts, seen_of(station, message_id=uuid4().hex))
        assert Cut.commits_to_lose == 0
        return results

    [opened, _] = await record(
        ConnectionOpened(
            station_id=station.pk,
            gateway_id=uuid4(),
            protocol="ocpp1.6",
            security_profile=1,
            remote_address="192.0.2.1",
            at=NOW,
        )
    )
    assert opened.generation == 1
    [boots, _] = await record(
        BootReported(
            station_id=station.pk,
            at=NOW,
            vendor="V",
            model="M",
            serial_number="",
            firmware_version="",
        )
    )
    assert boots == 1
    [started, _] = await record(start_of(station))
    await record(report_of(station, started.transaction_id, reading_of("1.5"), reading_of("2.5")))
    await record(end_of(station, started.ocpp_transaction_id))

    def check():
        state = StationState.objects.get(station=station)
        assert (state.generation, state.boot_count) == (1, 1)
        assert Connection.objects.filter(station=station).count() == 1
        [tx] = Transaction.objects.filter(station=station)
        assert (tx.pk, tx.status, tx.review_reasons) == (started.transaction_id, "ended", [])
        assert MeterValue.objects.filter(transaction_id=tx.pk).count() == 2
        assert OcppMessage.objects.filter(station_id=station.pk).count() == 5
        topics = OutboxItem.objects.filter(
            topic__startswith="transaction.", key=str(tx.pk)
        ).values_list("topic", flat=True)
        assert sorted(topics) == ["transaction.ended", "transaction.started"]

    await in_db(check)


async def test_a_second_boot_and_a_second_socket_still_count(site, writer):
    station = site.stations[0]
    for number in (1, 2):
        at = NOW + timedelta(seconds=number)
        [opened] = await writer.record(
            ConnectionOpened(
                station_id=station.pk,
                gateway_id=uuid4(),
                protocol="ocpp1.6",
                security_profile=1,
                remote_address="192.0.2.1",
                at=at,
            )
        )
        [boots] = await writer.record(
            BootReported(
                station_id=station.pk,
                at=at,
                vendor="V",
                model="M",
                serial_number="",
                firmware_version="",
            )
        )
        assert (opened.generation, opened.boot_count, boots) == (number, number - 1, number)


async def test_a_partition_that_cannot_be_made_yet_is_waited_for(site, writer):
    """Making one needs the whole table for a moment; a long report or a backup may be in the way."""
    station, other = site.stations[:2]
    month = (NOW + timedelta(days=75)).date().replace(day=1)
    partition = f"stations_metervalue_{month:%Y_%m}"
    fact = replace(report_of(station, None, reading_of("1")), tx_month=month)
    async with await psycopg.AsyncConnection.connect(test_database_url()) as report:
        await report.execute(f"DROP TABLE IF EXISTS {partition}")
        await report.commit()
        await report.execute("SELECT count(*) FROM stations_metervalue")
        recording = asyncio.create_task(writer.record(fact))
        done, _ = await asyncio.wait([recording], timeout=1)
        assert not done
        await report.rollback()
    async with asyncio.timeout(10):
        await recording
        await writer.record(start_of(other))
    stored = await in_db(lambda: MeterValue.objects.filter(station_id=station.pk).count())
    assert stored == 1
