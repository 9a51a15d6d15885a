"""Starts, readings and stops of 1.6 stations: nothing lost, nothing doubled, nobody refused."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from accounts.models import UnknownIdToken
from cms.base.models import OutboxItem
from cms.base.time import rfc3339
from stations.models import MeterValue, Transaction, TransactionProgress
from tests.stations.ocpp.conftest import eventually, in_db


def ago(**delta: float) -> str:
    """A timestamp of a while ago."""
    return rfc3339(datetime.now(UTC) - timedelta(**delta))


def start_of(tag: str, **fields) -> dict:
    """A StartTransaction.req."""
    return {
        "connectorId": 1,
        "idTag": tag,
        "meterStart": 1000,
        "timestamp": ago(minutes=10),
    } | fields


def stop_of(transaction_id: int, **fields) -> dict:
    """A StopTransaction.req."""
    return {
        "transactionId": transaction_id,
        "meterStop": 3500,
        "timestamp": ago(seconds=1),
    } | fields


def reading(wh: object, at: str, **fields) -> dict:
    """One MeterValue with a lone energy register."""
    return {"timestamp": at, "sampledValue": [{"value": str(wh), **fields}]}


async def test_whole_session(tenant, connect):
    row = await in_db(tenant.make_station)
    async with connect(row, boot=True) as station:
        answer = await station.result("Authorize", {"idTag": tenant.id_token.uid.lower()})
        assert answer == {"idTagInfo": {"status": "Accepted"}}
        started_at = ago(minutes=10)
        start = await station.result(
            "StartTransaction", start_of(tenant.id_token.uid, timestamp=started_at)
        )
        assert start["idTagInfo"] == {"status": "Accepted"}
        tx_id = start["transactionId"]
        assert isinstance(tx_id, int)
        await station.result(
            "MeterValues",
            {
                "connectorId": 1,
                "transactionId": tx_id,
                "meterValue": [
                    {
                        "timestamp": ago(minutes=5),
                        "sampledValue": [
                            {
                                "value": "2.25",
                                "unit": "kWh",
                                "measurand": "Energy.Active.Import.Register",
                            },
                            {"value": "11", "unit": "kW", "measurand": "Power.Active.Import"},
                            {
                                "value": "41",
                                "measurand": "SoC",
                                "unit": "Percent",
                                "location": "EV",
                            },
                        ],
                    }
                ],
            },
        )
        progress = await in_db(lambda: TransactionProgress.objects.get(pk=tx_id))
        assert (progress.register_wh, progress.power_w, progress.soc_percent) == (2250, 11000, 41)
        assert (
            await station.result("StopTransaction", stop_of(tx_id, reason="EVDisconnected")) == {}
        )
    tx = await in_db(lambda: Transaction.objects.get(pk=tx_id))
    assert (tx.status, tx.energy_wh, tx.stop_reason) == ("ended", 2500, "EVDisconnected")
    assert rfc3339(tx.started_at) == started_at
    assert tx.ocpp_transaction_id == str(tx_id)
    assert tx.review_reasons == []
    topics = await in_db(
        lambda: list(
            OutboxItem.objects.filter(topic__startswith="transaction.", key=str(tx_id)).values_list(
                "topic", flat=True
            )
        )
    )
    assert sorted(topics) == ["transaction.ended", "transaction.started"]


async def test_a_start_told_again_is_the_same_start(tenant, connect):
    """Same message id, another message id, after the stop, over another socket: one row, one answer."""
    row = await in_db(tenant.make_station)
    start = start_of(tenant.id_token.uid)
    async with connect(row, boot=True) as station:
        first = await station.call("StartTransaction", start, "same")
        assert await station.call("StartTransaction", start, "same") == first
        assert (await station.call("StartTransaction", start, "other"))[2] == first[2]
        tx_id = first[2]["transactionId"]
        await station.result("StopTransaction", stop_of(tx_id))
        assert await station.result("StartTransaction", start) == first[2]
    async with connect(row, boot=True) as station:
        assert await station.result("StartTransaction", start) == first[2]
    tx = await in_db(lambda: Transaction.objects.get(station=row))
    assert (tx.pk, tx.status) == (tx_id, "ended")


async def test_a_message_id_used_again_for_another_message_is_new(tenant, connect):
    row = await in_db(tenant.make_station)
    async with connect(row, boot=True) as station:
        one = await station.call("StartTransaction", start_of(tenant.id_token.uid), "1000000")
        two = await station.call(
            "StartTransaction", start_of(tenant.id_token.uid, connectorId=2), "1000000"
        )
    assert one[2]["transactionId"] != two[2]["transactionId"]


async def test_parallel_copies_over_two_sockets_make_one_row(tenant, connect):
    row = await in_db(tenant.make_station)
    start = start_of(tenant.id_token.uid)
    async with connect(row, boot=True) as one, connect(row) as two:
        # The first socket is superseded; whatever of it is answered says the same.
        answers = await asyncio.gather(
            *(one.call("StartTransaction", start, f"a{n}") for n in range(20)),
            *(two.call("StartTransaction", start, f"b{n}") for n in range(1)),
            return_exceptions=True,
        )
    ids = {a[2]["transactionId"] for a in answers if isinstance(a, list)}
    assert len(ids) == 1
    assert await in_db(lambda: Transaction.objects.filter(station=row).count()) == 1


async def test_a_new_start_supersedes_an_open_transaction(tenant, connect):
    row = await in_db(tenant.make_station)
    async with connect(row, boot=True) as station:
        old = (await station.result("StartTransaction", start_of(tenant.id_token.uid)))[
            "transactionId"
        ]
        await station.result(
            "MeterValues",
            {"connectorId": 1, "transactionId": old, "meterValue": [reading(1700, ago(minutes=5))]},
        )
        new = (
            await station.result(
                "StartTransaction",
                start_of(tenant.id_token.uid, timestamp=ago(minutes=1), meterStart=1800),
            )
        )["transactionId"]
        superseded = await in_db(lambda: Transaction.objects.get(pk=old))
        assert (superseded.status, superseded.is_current, superseded.energy_wh) == (
            "ended",
            False,
            700,
        )
        assert set(superseded.review_reasons) == {"superseded", "no_stop"}
        # Its stop comes after all: it tells the truth, and nothing is left to review.
        await station.result(
            "StopTransaction", stop_of(old, meterStop=1750, timestamp=ago(minutes=2))
        )
    superseded = await in_db(lambda: Transaction.objects.get(pk=old))
    assert (superseded.energy_wh, superseded.review_reasons) == (750, [])
    assert (await in_db(lambda: Transaction.objects.get(pk=new))).is_current


async def test_repeated_stop_counts_once_and_a_different_one_is_flagged(tenant, connect):
    row = await in_db(tenant.make_station)
    async with connect(row, boot=True) as station:
        tx_id = (await station.result("StartTransaction", start_of(tenant.id_token.uid)))[
            "transactionId"
        ]
        stop = stop_of(tx_id)
        for _ in range(3):
            await station.result("StopTransaction", stop)
        assert (await in_db(lambda: Transaction.objects.get(pk=tx_id))).review_reasons == []
        await station.result("StopTransaction", stop | {"meterStop": 9999})
    tx = await in_db(lambda: Transaction.objects.get(pk=tx_id))
    assert (tx.meter_stop_wh, tx.review_reasons) == (3500, ["conflicting_stop"])


@pytest.mark.parametrize("transaction_id", [0, -1, -16, 2**63 - 1, 123456789])
async def test_stop_of_an_unknown_transaction_is_kept_apart(tenant, connect, transaction_id):
    row = await in_db(tenant.make_station)
    async with connect(row, boot=True) as station:
        for _ in range(2):
            await station.result(
                "StopTransaction", stop_of(transaction_id, timestamp="2026-11-24T10:00:00Z")
            )
        assert await station.is_heard()
    tx = await in_db(lambda: Transaction.objects.get(station=row))
    assert tx.orphan
    assert tx.review_reasons == ["unknown_transaction"]
    assert tx.ocpp_transaction_id == str(transaction_id)
    topics = await in_db(
        lambda: list(
            OutboxItem.objects.filter(topic__startswith="transaction.", key=str(tx.pk)).values_list(
                "topic", flat=True
            )
        )
    )
    assert topics == ["transaction.ended"]


async def test_stop_without_a_usable_id_ends_the_only_open_transaction(tenant, connect):
    row = await in_db(tenant.make_station)
    async with connect(row, boot=True) as station:
        tx_id = (await station.result("StartTransaction", start_of(tenant.id_token.uid)))[
            "transactionId"
        ]
        await station.result("StopTransaction", stop_of(-1))
    tx = await in_db(lambda: Transaction.objects.get(station=row))
    assert (tx.pk, tx.status, tx.review_reasons) == (tx_id, "ended", ["unknown_transaction"])


async def test_another_stations_transaction_is_not_touched(tenant, connect):
    mine, theirs = await in_db(lambda: (tenant.make_station(), tenant.make_station()))
    async with connect(mine, boot=True) as victim, connect(theirs, boot=True) as intruder:
        tx_id = (await victim.result("StartTransaction", start_of(tenant.id_token.uid)))[
            "transactionId"
        ]
        await intruder.result("StopTransaction", stop_of(tx_id))
        await intruder.result(
            "MeterValues",
            {
                "connectorId": 1,
                "transactionId": tx_id,
                "meterValue": [reading(99999, ago(minutes=1))],
            },
        )
    tx = await in_db(lambda: Transaction.objects.get(pk=tx_id))
    assert (tx.status, tx.review_reasons) == ("active", [])
    assert not await in_db(lambda: MeterValue.objects.filter(transaction_id=tx_id).exists())


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"status": "blocked"}, "Blocked"),
        ({"status": "invalid"}, "Invalid"),
        ({"expires_at": datetime(2026, 1, 1, tzinfo=UTC)}, "Expired"),
    ],
)
async def test_refused_tokens_are_answered_by_their_own_word_and_the_start_is_stored(
    tenant, connect, fields, status
):
    row = await in_db(tenant.make_station)
    await in_db(lambda: tenant.make_id_token("BAD", **fields))
    async with connect(row, boot=True) as station:
        assert (await station.result("Authorize", {"idTag": "BAD"}))["idTagInfo"][
            "status"
        ] == status
        start = await station.result("StartTransaction", start_of("BAD"))
        assert start["idTagInfo"]["status"] == status
        await station.result(
            "StopTransaction", stop_of(start["transactionId"], reason="DeAuthorized")
        )
    tx = await in_db(lambda: Transaction.objects.get(pk=start["transactionId"]))
    assert (tx.authorization_status, tx.stop_reason) == (status, "DeAuthorized")


async def test_unknown_token_is_invalid_and_remembered(tenant, connect):
    row = await in_db(tenant.make_station)
    async with connect(row, boot=True) as station:
        for _ in range(2):
            answer = await station.result("Authorize", {"idTag": "Stranger"})
            assert answer == {"idTagInfo": {"status": "Invalid"}}
    seen = await in_db(lambda: UnknownIdToken.objects.get(operator=tenant.operator))
    assert (seen.uid, seen.times_seen, seen.station_identity) == ("Stranger", 2, row.identity)


async def test_one_operators_token_is_unknown_to_another(
    tenant, connect, ocpp_server, django_db_blocker
):
    from accounts.models import IdToken, Operator

    row = await in_db(tenant.make_station)
    other = await in_db(
        lambda: Operator.objects.create(slug=f"o-{row.identity.lower()}", name="Other")
    )
    await in_db(lambda: IdToken.objects.create(operator=other, uid="FOREIGN"))
    async with connect(row, boot=True) as station:
        assert (await station.result("Authorize", {"idTag": "FOREIGN"}))["idTagInfo"][
            "status"
        ] == "Invalid"


async def test_concurrency_limit_is_kept_by_the_writer(tenant, connect):
    row = await in_db(tenant.make_station)
    await in_db(lambda: tenant.make_id_token("ONE", max_concurrent=1))
    async with connect(row, boot=True) as station:
        first = start_of("ONE")
        assert (await station.result("StartTransaction", first))["idTagInfo"][
            "status"
        ] == "Accepted"
        assert (await station.result("Authorize", {"idTag": "ONE"}))["idTagInfo"][
            "status"
        ] == "Accepted"
        second = await station.result("StartTransaction", start_of("ONE", connectorId=2))
        assert second["idTagInfo"]["status"] == "ConcurrentTx"
        # A retry of the first is never concurrent with itself.
        assert (await station.result("StartTransaction", first))["idTagInfo"][
            "status"
        ] == "Accepted"
    stored = await in_db(lambda: Transaction.objects.get(pk=second["transactionId"]))
    assert stored.authorization_status == "ConcurrentTx"


async def test_parallel_starts_of_one_limited_token_let_one_through(tenant, connect):
    rows = await in_db(lambda: [tenant.make_station() for _ in range(5)])
    await in_db(lambda: tenant.make_id_token("RACE", max_concurrent=1))

    async def start(row):
        async with connect(row, boot=True) as station:
            answer = await station.result("StartTransaction", start_of("RACE"))
            return answer["idTagInfo"]["status"]

    statuses = await asyncio.gather(*(start(row) for row in rows))
    assert sorted(statuses) == ["Accepted", *["ConcurrentTx"] * 4]


async def test_a_change_of_a_token_governs_at_once(tenant, connect):
    row = await in_db(tenant.make_station)
    async with connect(row, boot=True) as station:
        uid = {"idTag": tenant.id_token.uid}
        assert (await station.result("Authorize", uid))["idTagInfo"]["status"] == "Accepted"

        def block():
            tenant.id_token.status = "blocked"
            tenant.id_token.save()

        await in_db(block)
        async with asyncio.timeout(1):
            while (await station.result("Authorize", uid))["idTagInfo"]["status"] != "Blocked":
                await asyncio.sleep(0.01)


async def test_group_and_expiry_go_to_the_station(tenant, connect):
    from accounts.models import IdTokenGroup

    def make():
        group = IdTokenGroup.objects.create(operator=tenant.operator, name="FLEET")
        expires = datetime(2030, 1, 1, tzinfo=UTC)
        return tenant.make_id_token("MEMBER", group=group, expires_at=expires)

    row = await in_db(tenant.make_station)
    await in_db(make)
    async with connect(row, boot=True) as station:
        info = (await station.result("Authorize", {"idTag": "MEMBER"}))["idTagInfo"]
    assert info == {
        "status": "Accepted",
        "expiryDate": "2030-01-01T00:00:00Z",
        "parentIdTag": "FLEET",
    }


async def test_readings_are_stored_once_and_exactly(tenant, connect):
    row = await in_db(tenant.make_station)
    async with connect(row, boot=True) as station:
        tx_id = (await station.result("StartTransaction", start_of(tenant.id_token.uid)))[
            "transactionId"
        ]
        at = ago(minutes=5)
        values = {
            "connectorId": 1,
            "transactionId": tx_id,
            "meterValue": [
                {
                    "timestamp": at,
                    "sampledValue": [
                        {"value": "1234.567", "unit": "Wh"},
                        {"value": "1e3", "measurand": "Power.Active.Import"},
                        {"value": "230.1", "measurand": "Voltage", "phase": "L1", "unit": "V"},
                        {"value": "12,5"},
                        {"value": ""},
                        {"value": "NaN"},
                        {"value": "5", "measurand": "Power.Active.Import", "unit": "Wh"},
                    ],
                }
            ],
        }
        await station.result("MeterValues", values)
        await station.result("MeterValues", values)
        assert await station.is_heard()
    stored = await in_db(
        lambda: list(
            MeterValue.objects.filter(transaction_id=tx_id)
            .order_by("measurand")
            .values_list("measurand", "value", "unit", "raw_value", "raw_unit")
        )
    )
    assert [(m, str(v.normalize()), *rest) for m, v, *rest in stored] == [
        ("Energy.Active.Import.Register", "1234.567", "Wh", "1234.567", "Wh"),
        ("Power.Active.Import", "1E+3", "W", "1e3", None),
        ("Voltage", "230.1", "V", "230.1", "V"),
    ]


async def test_reading_after_the_stop_belongs_to_its_transaction(tenant, connect):
    row = await in_db(tenant.make_station)
    async with connect(row, boot=True) as station:
        tx_id = (await station.result("StartTransaction", start_of(tenant.id_token.uid)))[
            "transactionId"
        ]
        await station.result(
            "StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Available"}
        )
        await station.result("StopTransaction", stop_of(tx_id))
        await station.result(
            "MeterValues",
            {
                "connectorId": 1,
                "transactionId": tx_id,
                "meterValue": [reading(3500, ago(seconds=2))],
            },
        )
    assert await in_db(lambda: MeterValue.objects.filter(transaction_id=tx_id).count()) == 1
    assert (await in_db(lambda: Transaction.objects.get(pk=tx_id))).status == "ended"


async def test_decreasing_register_goes_to_review(tenant, connect):
    row = await in_db(tenant.make_station)
    async with connect(row, boot=True) as station:
        tx_id = (await station.result("StartTransaction", start_of(tenant.id_token.uid)))[
            "transactionId"
        ]
        for wh, minutes in ((2000, 5), (1500, 4)):
            await station.result(
                "MeterValues",
                {
                    "connectorId": 1,
                    "transactionId": tx_id,
                    "meterValue": [reading(wh, ago(minutes=minutes))],
                },
            )
        await station.result("StopTransaction", stop_of(tx_id, meterStop=500))
    tx = await in_db(lambda: Transaction.objects.get(pk=tx_id))
    assert set(tx.review_reasons) == {"meter_decreased", "meter_stop_below_start"}


@pytest.mark.parametrize(
    "timestamp",
    ["0", "", "1970-01-01T00:00:00Z", "2036-01-01T00:00:00Z", "2026-11-24T10:00:00", "tomorrow"],
)
async def test_senseless_timestamps_are_answered_and_flagged(tenant, connect, timestamp):
    row = await in_db(tenant.make_station)
    before = datetime.now(UTC)
    async with connect(row, boot=True) as station:
        start = await station.result(
            "StartTransaction", start_of(tenant.id_token.uid, timestamp=timestamp)
        )
        await station.result(
            "StopTransaction", stop_of(start["transactionId"], timestamp=timestamp)
        )
    tx = await in_db(lambda: Transaction.objects.get(pk=start["transactionId"]))
    assert tx.started_at >= before
    assert tx.ended_at >= tx.started_at
    assert tx.review_reasons == ["clock_implausible"]


@pytest.mark.parametrize(
    ("timestamp", "utc"),
    [
        ("2026-11-20T12:00:00+02:00", "2026-11-20T10:00:00Z"),
        ("2026-11-20T12:00:00-0330", "2026-11-20T15:30:00Z"),
        ("2026-11-20t12:00:00.123456789Z", "2026-11-20T12:00:00.123Z"),
        ("2026-11-20T23:59:60Z", "2026-11-20T23:59:59Z"),
        ("2026-11-20T24:00:00Z", "2026-11-21T00:00:00Z"),
    ],
)
async def test_every_form_of_a_valid_time_is_exact(tenant, connect, timestamp, utc):
    row = await in_db(tenant.make_station)
    async with connect(row, boot=True) as station:
        start = await station.result(
            "StartTransaction", start_of(tenant.id_token.uid, timestamp=timestamp)
        )
    tx = await in_db(lambda: Transaction.objects.get(pk=start["transactionId"]))
    assert rfc3339(tx.started_at) == utc


async def test_two_sessions_of_a_station_without_a_clock_are_two(tenant, connect):
    row = await in_db(tenant.make_station)
    start = start_of(tenant.id_token.uid, timestamp="1970-01-01T00:00:00Z", meterStart=0)
    ids = []
    for _ in range(2):
        async with connect(row, boot=True) as station:
            ids.append((await station.result("StartTransaction", start))["transactionId"])
    assert len(set(ids)) == 2


async def test_a_session_made_offline_is_stored_as_it_was(tenant, connect):
    row = await in_db(tenant.make_station)
    began, ended = ago(days=3), ago(days=3, hours=-1)
    async with connect(row, boot=True) as station:
        tx_id = (
            await station.result("StartTransaction", start_of(tenant.id_token.uid, timestamp=began))
        )["transactionId"]
        for minute in range(0, 60, 5):
            await station.result(
                "MeterValues",
                {
                    "connectorId": 1,
                    "transactionId": tx_id,
                    "meterValue": [reading(1000 + minute, ago(days=3, minutes=-minute))],
                },
            )
        await station.result("StopTransaction", stop_of(tx_id, timestamp=ended))
    tx = await in_db(lambda: Transaction.objects.get(pk=tx_id))
    assert (rfc3339(tx.started_at), rfc3339(tx.ended_at)) == (began, ended)
    assert await in_db(lambda: MeterValue.objects.filter(transaction_id=tx_id).count()) == 12


async def test_a_stop_with_five_thousand_readings_is_answered(tenant, connect):
    row = await in_db(tenant.make_station)
    async with connect(row, boot=True) as station:
        tx_id = (await station.result("StartTransaction", start_of(tenant.id_token.uid)))[
            "transactionId"
        ]
        data = [
            reading(
                1000 + n / 10, rfc3339(datetime(2026, 11, 20, tzinfo=UTC) + timedelta(seconds=n))
            )
            for n in range(5000)
        ]
        await station.result("StopTransaction", stop_of(tx_id, transactionData=data))
    assert await in_db(lambda: MeterValue.objects.filter(transaction_id=tx_id).count()) == 5000


async def test_text_that_no_database_takes_is_answered(tenant, connect):
    row = await in_db(tenant.make_station)
    async with connect(row) as station:
        await station.result(
            "BootNotification", {"chargePointVendor": "V\x00", "chargePointModel": "M'; --"}
        )
        assert (await station.result("Authorize", {"idTag": "a\x00b"}))["idTagInfo"][
            "status"
        ] == "Invalid"
        start = await station.result("StartTransaction", start_of("a\x00b"))
        assert start["idTagInfo"]["status"] == "Invalid"
        await station.result(
            "StatusNotification",
            {
                "connectorId": 1,
                "errorCode": "NoError",
                "status": "Faulted",
                "info": "x\x00<script>",
            },
        )
        assert await station.is_heard()
    state = await in_db(lambda: type(row).objects.get(pk=row.pk).state)
    assert (state.vendor, state.model) == ("V", "M'; --")
    await eventually(lambda: Transaction.objects.filter(pk=start["transactionId"]).exists())
