"""What stations with habits send is read as they mean it, and every repair is counted."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from accounts.services.actors import Actor
from stations.models import MeterValue, OcppMessage, StationRepair, Transaction
from stations.services.commands import queue_command
from tests.factories import make_location
from tests.stations.ocpp.conftest import eventually, in_db

NO_ZONE = "%Y-%m-%dT%H:%M:%S"
ZULU = "%Y-%m-%dT%H:%M:%SZ"


async def boot(station, vendor, model="", firmware=""):
    payload = {"chargePointVendor": vendor, "chargePointModel": model or "A"}
    if firmware:
        payload["firmwareVersion"] = firmware
    assert (await station.result("BootNotification", payload))["status"] == "Accepted"


async def started(station, tag, *, meter=0, at=None):
    at = at or datetime.now(UTC).strftime(ZULU)
    body = {"connectorId": 1, "idTag": tag, "meterStart": meter, "timestamp": at}
    return await station.result("StartTransaction", body)


async def read(station, tx_id, value, **sample):
    body = {
        "connectorId": 1,
        "transactionId": tx_id,
        "meterValue": [
            {
                "timestamp": datetime.now(UTC).strftime(ZULU),
                "sampledValue": [{"value": value, **sample}],
            }
        ],
    }
    assert await station.result("MeterValues", body) == {}


def repairs_of(row):
    return dict(StationRepair.objects.filter(station=row).values_list("kind", "times"))


def values_of(tx_id):
    rows = MeterValue.objects.filter(transaction_id=tx_id).order_by("at", "id")
    return [(int(row.value), row.raw_value, row.unit) for row in rows]


async def test_a_time_without_a_zone_is_the_sites(tenant, connect):
    def make():
        return tenant.make_station(
            location=make_location(tenant.operator, time_zone="America/New_York")
        )

    row = await in_db(make)
    now = datetime.now(UTC).replace(microsecond=0)
    at = now.astimezone(ZoneInfo("America/New_York")).strftime(NO_ZONE)
    async with connect(row) as station:
        await boot(station, "Growatt", "THOR")
        tx_id = (await started(station, tenant.id_token.uid, at=at))["transactionId"]
        tx = await in_db(lambda: Transaction.objects.get(pk=tx_id))
        assert (tx.device_started_at, tx.started_at, tx.review_reasons) == (now, now, [])


async def test_without_the_habit_such_a_time_is_not_believed(tenant, connect):
    row = await in_db(tenant.make_station)
    at = (datetime.now(UTC) - timedelta(hours=1)).strftime(NO_ZONE)
    async with connect(row) as station:
        await boot(station, "Acme")
        tx_id = (await started(station, tenant.id_token.uid, at=at))["transactionId"]
        tx = await in_db(lambda: Transaction.objects.get(pk=tx_id))
    assert tx.device_started_at is None
    assert tx.review_reasons == ["clock_implausible"]


async def test_kwh_called_wh_becomes_wh(tenant, connect):
    row = await in_db(tenant.make_station)
    async with connect(row) as station:
        await boot(station, "OpenEVSE", firmware="4.2.2")
        tx_id = (await started(station, tenant.id_token.uid, meter=361_000))["transactionId"]
        await read(station, tx_id, "361.5", unit="Wh", measurand="Energy.Active.Import.Register")
        await read(station, tx_id, "9451", unit="W", measurand="Power.Active.Import")
        assert await in_db(lambda: values_of(tx_id)) == [
            (361_500, "361.5", "Wh"),
            (9451, "9451", "W"),
        ]


async def test_a_register_that_counts_from_the_start_is_lifted_onto_it(tenant, connect):
    row = await in_db(tenant.make_station)
    async with connect(row) as station:
        await boot(station, "UnitedChargers", "Grizzl-E Smart Connect")
        tx_id = (await started(station, tenant.id_token.uid, meter=1_000))["transactionId"]
        for wh in ("0", "900", "1500"):
            await read(station, tx_id, wh)
        # Past the register at the start, too.
        assert [value for value, _, _ in await in_db(lambda: values_of(tx_id))] == [
            1000,
            1900,
            2500,
        ]
        # Its model is longer than OCPP allows, and a sample is no number.
        await read(station, tx_id, "n/a")
        counted = await eventually(lambda: repairs_of(row), timeout_s=20)
        assert counted == {"fields": 1, "registers": 3, "samples": 1}


async def test_better_firmware_of_the_same_kind_is_left_alone(tenant, connect):
    row = await in_db(tenant.make_station)
    async with connect(row) as station:
        await boot(station, "UnitedChargers", "Grizzl-E Smart Connect")
        tx_id = (await started(station, tenant.id_token.uid, meter=1_000))["transactionId"]
        for wh in ("1000", "1900"):
            await read(station, tx_id, wh)
        assert [value for value, _, _ in await in_db(lambda: values_of(tx_id))] == [1000, 1900]


async def test_a_card_is_known_without_what_the_station_adds(tenant, connect):
    row = await in_db(tenant.make_station)
    token = await in_db(lambda: tenant.make_id_token("0A1B2C3D"))
    async with connect(row) as station:
        await boot(station, "Keba AG", "KC-P30-EC2401B2-M0R")
        sent = "0a1b2c3d_17619300"
        info = (await station.result("Authorize", {"idTag": sent}))["idTagInfo"]
        assert info["status"] == "Accepted"
        answer = await started(station, sent)
        assert answer["idTagInfo"]["status"] == "Accepted"
        tx = await in_db(lambda: Transaction.objects.get(pk=answer["transactionId"]))
        assert (tx.id_token_id, tx.id_token_uid) == (token.pk, "0a1b2c3d")
        # What was sent stays in the trace.
        traced = OcppMessage.objects.filter(station_id=row.pk, action="StartTransaction")
        assert sent in (await in_db(lambda: traced.get(direction="in").payload))


async def test_a_habit_is_known_from_the_last_boot_when_the_station_comes_back(tenant, connect):
    row = await in_db(tenant.make_station)
    await in_db(lambda: tenant.make_id_token("ABCD"))
    async with connect(row) as station:
        await boot(station, "Keba AG", "KC-P30-X")
    async with connect(row) as station:
        info = (await station.result("Authorize", {"idTag": "abcd_1"}))["idTagInfo"]
    assert info["status"] == "Accepted"


async def test_a_station_that_wants_quiet_after_its_boot_gets_it(tenant, connect):
    row = await in_db(tenant.make_station)
    async with connect(row) as station:
        await boot(station, "ABB", "CDT_TACW11::NET_WIFI")
        command = await in_db(
            lambda: queue_command(
                station=row,
                action="GetConfiguration",
                payload={},
                acting=Actor.system(tenant.operator),
            )
        )
        for _ in range(5):
            assert await station.is_heard()
        await in_db(command.refresh_from_db)
        assert command.status == "queued"
    # Another boot of another kind: no quiet, and what waited comes at once.
    async with connect(row) as station:
        await station.client.send(
            '[2,"b","BootNotification",{"chargePointVendor":"Acme","chargePointModel":"A"}]'
        )
        seen = {(await station.client.receive(10)).split(",")[0] for _ in range(2)}
    assert seen == {"[3", "[2"}
