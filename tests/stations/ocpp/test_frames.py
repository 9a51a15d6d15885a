"""Broken and hostile frames over a real socket: a clear refusal each, and the station stays heard."""

import json

import pytest

from stations.models import OcppMessage
from stations.simulator.client import ConnectionLost
from tests.stations.ocpp.conftest import eventually, in_db

# Frame → the CALLERROR's message id and code; None is a frame that gets no answer.
BROKEN = {
    "hello": ("-1", "FormationViolation"),
    "{": ("-1", "FormationViolation"),
    "[]": ("-1", "FormationViolation"),
    "{}": ("-1", "FormationViolation"),
    "[2]": ("-1", "FormationViolation"),
    '[2,"a"]': ("a", "FormationViolation"),
    '[2,"a","Heartbeat",{},1]': ("a", "FormationViolation"),
    '[2,"a","Heartbeat",[]]': ("a", None),
    '[2,"b",["Heartbeat"],{}]': ("b", None),
    '[2,"b",{"x":1},{}]': ("b", None),
    '[2,"b",5,{}]': ("b", None),
    '[2,"c","heartbeat",{}]': ("c", "NotImplemented"),
    '[2,"c","Nonsense",{}]': ("c", "NotImplemented"),
    '[2,"c","Reset",{"type":"Hard"}]': ("c", "NotSupported"),
    '[2,"d","CertificateSigned",{"certificateChain":"x"}]': ("d", "NotSupported"),
    '[2,"e","StatusNotification",{"connectorId":1,"errorCode":"NoError"}]': (
        "e",
        "OccurenceConstraintViolation",
    ),
    '[2,"e","StatusNotification",{"connectorId":"1","errorCode":"NoError","status":"Available"}]': (
        "e",
        "TypeConstraintViolation",
    ),
    '[2,"e","Authorize",{"idTag":"123456789012345678901"}]': ("e", "PropertyConstraintViolation"),
    '[2,"f","StopTransaction",{"transactionId":,"meterStop":1}]': ("f", "FormationViolation"),
    '[2,"g","MeterValues",{"connectorId":1,"meterValue":[,{}]}]': ("g", "FormationViolation"),
    '[2,"h","Heartbeat",{}': ("h", "FormationViolation"),
    f'[2,"i","DataTransfer",{{"vendorId":"v","data":"{"[" * 5}"}}]': None,
    "[" * 100_000: ("-1", None),
}


@pytest.mark.parametrize("frame", [f for f, expected in BROKEN.items() if expected])
async def test_broken_frames_are_answered_and_the_station_stays_heard(tenant, connect, frame):
    row = await in_db(tenant.make_station)
    async with connect(row, boot=True) as station:
        await station.client.send(frame)
        answer = json.loads(await station.client.receive(5))
        message_id, code = BROKEN[frame]
        assert answer[:2] == [4, message_id]
        assert len(answer) == 5
        assert isinstance(answer[4], dict)
        if code is not None:
            assert answer[2] == code
        assert await station.is_heard()


@pytest.mark.parametrize("kind", [0, 1, 5, 6, 9])
async def test_unknown_message_types_are_ignored_on_16(tenant, connect, kind):
    row = await in_db(tenant.make_station)
    async with connect(row, boot=True) as station:
        await station.client.send(json.dumps([kind, "x", "Heartbeat", {}]))
        assert await station.is_heard()


@pytest.mark.parametrize("message_id", ["x" * 37, "x" * 100_000, "", None, 5, {"a": 1}])
async def test_bad_message_ids_are_refused_without_an_echo(tenant, connect, message_id):
    row = await in_db(tenant.make_station)
    async with connect(row, boot=True) as station:
        await station.client.send(json.dumps([2, message_id, "Heartbeat", {}]))
        answer = await station.client.receive(5)
        assert json.loads(answer)[:2] == [4, "-1"]
        assert len(answer) < 500
        assert await station.is_heard()


async def test_frames_up_to_a_mebibyte_are_served_and_larger_ones_close(tenant, connect):
    row = await in_db(tenant.make_station)
    async with connect(row, boot=True) as station:
        frame = json.dumps([2, "big", "DataTransfer", {"vendorId": "v", "data": "x" * 500_000}])
        await station.client.send(frame)
        answer = json.loads(await station.client.receive(10))
        assert answer == [3, "big", {"status": "UnknownVendorId"}]
        await station.client.send("x" * (1024 * 1024 + 1))
        with pytest.raises(ConnectionLost):
            await station.client.receive(10)
    async with connect(row) as station:
        assert await station.is_heard()


async def test_unsolicited_replies_are_ignored(tenant, connect):
    row = await in_db(tenant.make_station)
    async with connect(row, boot=True) as station:
        for number in range(1000):
            await station.client.send(json.dumps([3, f"none-{number}", {}]))
        assert await station.is_heard()


@pytest.mark.parametrize(("before", "after"), [("", "\x00"), ("\ufeff", ""), (" \n", "\r\n\x00")])
async def test_what_stands_around_a_frame_is_ignored_and_the_message_stored(
    tenant, connect, before, after
):
    row = await in_db(tenant.make_station)
    start = {
        "connectorId": 1,
        "idTag": tenant.id_token.uid,
        "meterStart": 0,
        "timestamp": "2026-11-24T10:00:00Z",
    }
    async with connect(row, boot=True) as station:
        frame = json.dumps([2, "n1", "StartTransaction", start])
        await station.client.send(f"{before}{frame}{after}")
        answer = json.loads(await station.client.receive(5))
    assert answer[:2] == [3, "n1"]
    assert answer[2]["idTagInfo"]["status"] == "Accepted"
    stored = await in_db(
        lambda: OcppMessage.objects.get(station_id=row.pk, message_id="n1", direction="in").payload
    )
    assert json.loads(stored) == start


async def test_null_payload_is_an_empty_one(tenant, connect):
    row = await in_db(tenant.make_station)
    async with connect(row, boot=True) as station:
        frame = await station.call("Heartbeat", None)
        assert frame[0] == 3
        assert frame[2]["currentTime"].endswith("Z")


async def test_extra_fields_are_tolerated(tenant, connect):
    row = await in_db(tenant.make_station)
    async with connect(row, boot=True) as station:
        answer = await station.result("Authorize", {"idTag": tenant.id_token.uid, "colour": "red"})
        assert answer["idTagInfo"]["status"] == "Accepted"


async def test_data_transfer_of_an_unknown_vendor(tenant, connect):
    row = await in_db(tenant.make_station)
    async with connect(row, boot=True) as station:
        answer = await station.result("DataTransfer", {"vendorId": "acme", "messageId": "x"})
        assert answer == {"status": "UnknownVendorId"}


async def test_every_frame_is_in_the_trace(tenant, connect):
    row = await in_db(tenant.make_station)
    async with connect(row, boot=True) as station:
        await station.call("Authorize", {"idTag": "NOBODY-HERE"}, "traced")
        await station.call("Nonsense", {}, "refused")

    def trace():
        messages = OcppMessage.objects.filter(station_id=row.pk).order_by("at", "id")
        return [
            (m.direction, m.type, m.action, m.message_id, json.loads(m.payload)) for m in messages
        ]

    def complete():
        found = trace()
        return found if len(found) == 6 else None

    found = await eventually(complete)
    assert [entry[:3] for entry in found] == [
        ("in", "call", "BootNotification"),
        ("out", "result", "BootNotification"),
        ("in", "call", "Authorize"),
        ("out", "result", "Authorize"),
        ("in", "call", "Nonsense"),
        ("out", "error", "Nonsense"),
    ]
    assert found[2][3:] == ("traced", {"idTag": "NOBODY-HERE"})
    assert found[5][4][0] == "NotImplemented"
