"""Boot, registration and status of 1.6 stations."""

import asyncio
from datetime import UTC, datetime

import pytest

from stations.models import ChargingStation, Connector, ConnectorStatus, StationState
from tests.stations.ocpp.conftest import eventually, in_db

BOOT = {
    "chargePointVendor": "Vendor",
    "chargePointModel": "Model",
    "chargePointSerialNumber": "SN-1",
    "firmwareVersion": "1.2.3",
}


def set_registration(row: ChargingStation, status: str) -> None:
    """As a person would through the API."""
    ChargingStation.objects.filter(pk=row.pk).update(registration_status=status)


async def test_boot_is_accepted_and_kept(tenant, connect):
    row = await in_db(tenant.make_station)
    async with connect(row) as station:
        answer = await station.result("BootNotification", BOOT)
    assert answer["status"] == "Accepted"
    assert answer["interval"] > 0
    now = datetime.fromisoformat(answer["currentTime"])
    assert abs((datetime.now(UTC) - now).total_seconds()) < 5
    state = await in_db(lambda: StationState.objects.get(station=row))
    assert (state.vendor, state.model, state.serial_number, state.firmware_version) == (
        "Vendor",
        "Model",
        "SN-1",
        "1.2.3",
    )
    assert (state.boot_count, state.protocol) == (1, "ocpp1.6")


async def test_intervals_are_spread(tenant, connect):
    rows = await in_db(lambda: [tenant.make_station() for _ in range(12)])
    intervals = set()
    for row in rows:
        async with connect(row) as station:
            intervals.add((await station.result("BootNotification", BOOT))["interval"])
    assert len(intervals) > 1


@pytest.mark.parametrize(
    ("registration", "status"), [("pending", "Pending"), ("rejected", "Rejected")]
)
async def test_unaccepted_stations_may_only_boot(tenant, connect, registration, status):
    row = await in_db(lambda: tenant.make_station(registration_status=registration))
    async with connect(row) as station:
        boot = await station.result("BootNotification", BOOT)
        assert boot["status"] == status
        assert boot["interval"] > 0
        for action, payload in [
            (
                "StatusNotification",
                {"connectorId": 1, "errorCode": "NoError", "status": "Available"},
            ),
            (
                "StartTransaction",
                {
                    "connectorId": 1,
                    "idTag": "X",
                    "meterStart": 0,
                    "timestamp": "2026-11-24T00:00:00Z",
                },
            ),
        ]:
            frame = await station.call(action, payload)
            assert (frame[0], frame[2]) == (4, "SecurityError")
        await in_db(lambda: set_registration(row, "accepted"))
        async with asyncio.timeout(2):
            while (await station.call("Heartbeat", {}))[0] != 3:
                await asyncio.sleep(0.02)
        assert (await station.result("BootNotification", BOOT))["status"] == "Accepted"


async def test_taking_acceptance_back_counts_from_the_next_boot(tenant, connect):
    row = await in_db(tenant.make_station)
    async with connect(row, boot=True) as station:
        await in_db(lambda: set_registration(row, "pending"))
        assert await station.is_heard()
        async with asyncio.timeout(2):
            while (await station.result("BootNotification", BOOT))["status"] != "Pending":
                await asyncio.sleep(0.02)
        assert (await station.call("Heartbeat", {}))[2] == "SecurityError"


async def test_an_accepted_station_need_not_boot(tenant, connect):
    row = await in_db(tenant.make_station)
    async with connect(row) as station:
        assert await station.is_heard()
        answer = await station.result("Authorize", {"idTag": tenant.id_token.uid})
        assert answer["idTagInfo"]["status"] == "Accepted"


async def test_connectors_are_learned_from_their_statuses(tenant, connect):
    row = await in_db(tenant.make_station)
    async with connect(row, boot=True) as station:
        for connector_id, status, code in [
            (0, "Available", "NoError"),
            (1, "Preparing", "NoError"),
            (2, "Faulted", "ConnectorLockFailure"),
            (2, "Faulted", "GroundFailure"),
        ]:
            await station.result(
                "StatusNotification",
                {"connectorId": connector_id, "status": status, "errorCode": code},
            )
    state = await in_db(lambda: StationState.objects.get(station=row))
    assert (state.status, state.error_code) == ("Available", "NoError")
    statuses = await in_db(
        lambda: set(
            ConnectorStatus.objects.filter(station=row).values_list(
                "evse_id", "connector_id", "status", "error_code"
            )
        )
    )
    assert statuses == {(1, 1, "Preparing", "NoError"), (2, 1, "Faulted", "GroundFailure")}
    connectors = await in_db(
        lambda: sorted(
            Connector.objects.filter(evse__station=row).values_list("evse__evse_id", "connector_id")
        )
    )
    assert connectors == [(1, 1), (2, 1)]


async def test_six_new_stations_report_at_once(tenant, connect):
    rows = await in_db(lambda: [tenant.make_station() for _ in range(6)])

    async def report(row):
        async with connect(row) as station:
            for connector_id in (0, 1, 2):
                await station.result(
                    "StatusNotification",
                    {"connectorId": connector_id, "status": "Available", "errorCode": "NoError"},
                )

    await asyncio.gather(*(report(row) for row in rows))
    assert await in_db(lambda: ConnectorStatus.objects.filter(station__in=rows).count()) == 12


@pytest.mark.parametrize("connector_id", [-1, 1000, 2**31, 2**63 - 1])
async def test_impossible_connectors_are_acknowledged_and_make_no_rows(
    tenant, connect, connector_id
):
    row = await in_db(tenant.make_station)
    async with connect(row, boot=True) as station:
        frame = await station.call(
            "StatusNotification",
            {"connectorId": connector_id, "status": "Available", "errorCode": "NoError"},
        )
        assert frame[0] == 3
    assert not await in_db(lambda: ConnectorStatus.objects.filter(station=row).exists())


async def test_any_frame_moves_last_seen(tenant, connect):
    row = await in_db(tenant.make_station)
    async with connect(row) as station:
        before = await in_db(lambda: StationState.objects.get(station=row).last_seen_at)
        await station.is_heard()
        await eventually(
            lambda: StationState.objects.get(station=row).last_seen_at > before, timeout_s=12
        )
