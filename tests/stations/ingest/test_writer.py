"""The writer: what it writes is what the models read, and nothing it is given is lost."""

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import psycopg
import pytest

from cms.base.models import OutboxItem
from stations.ingest.facts import (
    BootReported,
    ConnectionClosed,
    ConnectionOpened,
    EndOutcome,
    HandshakeRefused,
    MessageSeen,
    MeterReported,
    Progress,
    Reading,
    StatusReported,
    TransactionEnded,
    TransactionStarted,
    UnknownTokenSeen,
)
from stations.ingest.writer import FactQuarantined
from stations.models import (
    Connection,
    Connector,
    ConnectorStatus,
    HandshakeFailure,
    MeterValue,
    OcppMessage,
    QuarantinedFact,
    StationState,
    Transaction,
    TransactionProgress,
)
from tests.server import test_database_url
from tests.stations.ocpp.conftest import in_db

NOW = datetime.now(UTC).replace(microsecond=123000)
ODD = "tab\tnew\nline\rback\\slash 'quote' \"double\" \\N \\. é漢😀"


def start_of(station, **fields) -> TransactionStarted:
    fact = TransactionStarted(
        station_id=station.pk,
        operator_id=station.operator_id,
        evse_id=1,
        connector_id=1,
        start_key=f"key-{uuid4().hex}",
        id_token_uid="UID",
        id_token_id=None,
        max_concurrent=None,
        authorization_status="Accepted",
        device_at=NOW - timedelta(minutes=5),
        received_at=NOW,
        started_at=NOW - timedelta(minutes=5),
        meter_start_wh=100,
        reservation_id=None,
    )
    return replace(fact, **fields)


def end_of(station, ocpp_transaction_id: str, **fields) -> TransactionEnded:
    fact = TransactionEnded(
        station_id=station.pk,
        operator_id=station.operator_id,
        ocpp_transaction_id=ocpp_transaction_id,
        end_key=f"stop|{ocpp_transaction_id}",
        device_at=NOW,
        received_at=NOW,
        ended_at=NOW,
        meter_stop_wh=600,
        reason="Local",
        id_token_uid="",
    )
    return replace(fact, **fields)


def reading_of(value: str, **fields) -> Reading:
    reading = Reading(
        at=NOW,
        device_at=NOW,
        has_device_time=True,
        received_at=NOW,
        measurand="Energy.Active.Import.Register",
        phase=None,
        location="Outlet",
        context="Sample.Periodic",
        unit="Wh",
        value=Decimal(value),
        raw_value=value,
        raw_unit=None,
    )
    return replace(reading, **fields)


def seen_of(station, **fields) -> MessageSeen:
    fact = MessageSeen(
        at=NOW,
        station_id=station.pk,
        generation=1,
        direction="in",
        type="call",
        action="DataTransfer",
        message_id="id",
        payload="{}",
    )
    return replace(fact, **fields)


def report_of(station, transaction_id: int | None, *readings: Reading, **fields) -> MeterReported:
    return MeterReported(
        station_id=station.pk,
        evse_id=1,
        transaction_id=transaction_id,
        tx_month=date(NOW.year, NOW.month, 1),
        readings=readings,
        **fields,
    )


async def test_every_kind_of_fact_reads_back_through_the_models(writer, station):
    gateway_id = uuid4()
    [opened] = await writer.record(
        ConnectionOpened(station.pk, gateway_id, "ocpp1.6", 1, "127.0.0.1", NOW)
    )
    [boots, *_] = await writer.record(
        BootReported(station.pk, NOW, ODD[:20], "Model", "Serial", "Firmware"),
        seen_of(station, payload=ODD),
    )
    await writer.record(
        StatusReported(station.pk, 0, 0, "Available", "NoError", "", ODD, NOW),
        StatusReported(station.pk, 2, 1, "Faulted", "GroundFailure", "E7", ODD, NOW),
    )
    start = start_of(station)
    [started] = await writer.record(start)
    progress = Progress(NOW, 400, 11000, 55)
    await writer.record(
        report_of(
            station, started.transaction_id, reading_of("400.5", raw_value=ODD), progress=progress
        )
    )
    [ended] = await writer.record(end_of(station, started.ocpp_transaction_id))
    await writer.record(
        UnknownTokenSeen(station.operator_id, "Uid", "uid", station.identity, NOW),
        HandshakeRefused(
            station.operator_id, station.pk, station.identity, "no_credentials", ODD, "::1", "", NOW
        ),
        ConnectionClosed(station.pk, opened.generation, "closed_by_station", NOW),
    )

    def check() -> None:
        state = StationState.objects.get(station=station)
        assert (opened.generation, boots) == (1, 1)
        assert (state.generation, state.boot_count, state.connected) == (1, 1, False)
        assert (state.vendor, state.status, state.status_info) == (ODD[:20], "Available", ODD)
        connection = Connection.objects.get(station=station)
        assert (connection.gateway_id, connection.closed_at) == (gateway_id, NOW)
        status = ConnectorStatus.objects.get(station=station)
        assert (status.evse_id, status.status, status.vendor_error_code) == (2, "Faulted", "E7")
        assert Connector.objects.get(evse__station=station).evse.evse_id == 2
        tx = Transaction.objects.get(station=station)
        assert (tx.pk, tx.start_key, tx.started_at) == (
            started.transaction_id,
            start.start_key,
            start.started_at,
        )
        assert (tx.status, tx.energy_wh, tx.review_reasons) == ("ended", 500, [])
        assert (tx.operator_id, tx.device_ended_at) == (station.operator_id, NOW)
        progress_row = TransactionProgress.objects.get(pk=tx.pk)
        assert (progress_row.register_wh, progress_row.power_w, progress_row.soc_percent) == (
            400,
            11000,
            55,
        )
        value = MeterValue.objects.get(station_id=station.pk)
        assert (value.value, value.raw_value, value.transaction_id) == (
            Decimal("400.5"),
            ODD,
            tx.pk,
        )
        assert (value.at, value.device_at, value.has_device_time) == (NOW, NOW, True)
        message = OcppMessage.objects.get(station_id=station.pk)
        assert (message.payload, message.at) == (ODD, NOW)
        failure = HandshakeFailure.objects.get(station=station)
        assert (failure.detail, failure.times) == (ODD, 1)

    await in_db(check)
    assert ended.outcome is EndOutcome.ENDED
    assert {station.pk} in writer.changes


async def test_readings_told_twice_are_stored_once_beside_new_ones(writer, station):
    first = report_of(station, None, reading_of("1"), reading_of("2"))
    await writer.record(first)
    await asyncio.gather(
        writer.record(first),
        writer.record(report_of(station, None, reading_of("2"), reading_of("3"))),
    )
    await writer.record(report_of(station, None, reading_of("4")))
    values = await in_db(
        lambda: sorted(int(v.value) for v in MeterValue.objects.filter(station_id=station.pk))
    )
    assert values == [1, 2, 3, 4]


async def test_readings_without_a_time_are_never_taken_for_one(writer, station):
    for seconds in range(3):
        received_at = NOW + timedelta(seconds=seconds)
        await writer.record(
            report_of(
                station,
                None,
                reading_of(
                    "7",
                    at=received_at,
                    device_at=received_at,
                    received_at=received_at,
                    has_device_time=False,
                ),
            )
        )
    assert await in_db(lambda: MeterValue.objects.filter(station_id=station.pk).count()) == 3


async def test_one_bad_fact_is_quarantined_and_its_neighbours_are_written(writer, station):
    good = [writer.record(seen_of(station, message_id=f"good-{n}")) for n in range(20)]
    bad = writer.record(
        start_of(station, meter_start_wh=2**70),
        seen_of(station, message_id="bad", payload='{"raw":1}'),
    )
    results = await asyncio.gather(*good[:10], bad, *good[10:], return_exceptions=True)
    assert [type(r) for r in results if isinstance(r, Exception)] == [FactQuarantined]
    assert await in_db(lambda: OcppMessage.objects.filter(station_id=station.pk).count()) == 20
    kept = await in_db(lambda: QuarantinedFact.objects.get(station=station))
    assert (kept.message_id, kept.payload) == ("bad", '{"raw":1}')


async def test_a_fact_that_cannot_even_be_written_down_stops_nobody_else(writer, station):
    broken = writer.record(report_of(station, None, reading_of("1", raw_value=None)))
    good = [writer.record(seen_of(station, message_id=f"good-{n}")) for n in range(3)]
    results = await asyncio.gather(broken, *good, return_exceptions=True)
    assert [type(r) for r in results if isinstance(r, Exception)] == [FactQuarantined]
    assert await in_db(lambda: OcppMessage.objects.filter(station_id=station.pk).count()) == 3


async def test_a_held_row_keeps_only_its_own_station_waiting(writer, station):
    other = await in_db(
        lambda: type(station).objects.create(
            operator=station.operator, identity=f"W{uuid4().hex[:12]}"
        )
    )
    for row in (station, other):
        await writer.record(ConnectionOpened(row.pk, uuid4(), "ocpp1.6", 1, "", NOW))
    async with await psycopg.AsyncConnection.connect(test_database_url()) as holder:
        await holder.execute(
            "SELECT 1 FROM stations_stationstate WHERE station_id = %s FOR UPDATE", [station.pk]
        )
        held = asyncio.create_task(writer.record(start_of(station)))
        async with asyncio.timeout(5):
            [free] = await writer.record(start_of(other))
        assert free.created
        assert not held.done()
        await holder.rollback()
    [late] = await held
    assert late.created


async def test_a_lost_connection_is_made_again_and_nothing_is_acknowledged_meanwhile(
    writer, station
):
    await writer.record(seen_of(station))

    def kill_writers() -> None:
        with psycopg.connect(test_database_url(), autocommit=True) as admin:
            admin.execute("SELECT pg_terminate_backend(%s)", [writer._connection.info.backend_pid])

    await in_db(kill_writers)
    [started] = await writer.record(start_of(station))
    assert await in_db(lambda: Transaction.objects.filter(pk=started.transaction_id).exists())


async def test_starts_and_stops_of_one_station_in_one_breath_keep_their_order(writer, station):
    first, second = start_of(station), start_of(station)
    [[one], [two]] = await asyncio.gather(writer.record(first), writer.record(second))
    rows = await in_db(lambda: list(Transaction.objects.filter(station=station).order_by("pk")))
    assert [row.pk for row in rows] == [one.transaction_id, two.transaction_id]
    assert [row.is_current for row in rows] == [False, True]
    topics = await in_db(
        lambda: list(
            OutboxItem.objects.filter(topic__startswith="transaction.", key=str(one.transaction_id))
            .order_by("id")
            .values_list("topic", flat=True)
        )
    )
    assert topics == ["transaction.started", "transaction.ended"]


async def test_stopping_writes_what_is_waiting(writer, station):
    for number in range(500):
        writer.trace(seen_of(station, message_id=str(number)))
    await writer.stop()
    assert await in_db(lambda: OcppMessage.objects.filter(station_id=station.pk).count()) == 500


async def test_a_missing_partition_is_made(writer, station):
    def drop() -> None:
        with psycopg.connect(test_database_url(), autocommit=True) as admin:
            admin.execute(f"DROP TABLE IF EXISTS stations_ocppmessage_{NOW:%Y_%m}")

    await in_db(drop)
    await writer.record(seen_of(station))
    assert await in_db(lambda: OcppMessage.objects.filter(station_id=station.pk).count()) == 1


@pytest.mark.parametrize("months", [-120, 600])
async def test_readings_of_impossible_months_are_quarantined_not_retried_for_ever(
    writer, station, months
):
    month = date(NOW.year + months // 12, NOW.month, 1)
    report = replace(report_of(station, None, reading_of("1")), tx_month=month)
    async with asyncio.timeout(10):
        with pytest.raises(FactQuarantined):
            await writer.record(report, seen_of(station))
