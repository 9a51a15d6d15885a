from __future__ import annotations

import base64
from http import HTTPStatus

import pytest

from stations.simulator import (
    CallErrorReceived,
    CallTimeout,
    ConnectionLost,
    HandshakeRefused,
    RawClient,
    VirtualStation,
)
from stations.simulator.wire import Call, CallError, CallResult, MalformedFrame, parse

from .central import SILENT


@pytest.mark.parametrize(
    ("text", "frame"),
    [
        ('[2,"1","Reset",{"type":"Soft"}]', Call("1", "Reset", {"type": "Soft"})),
        ('[2,"1","ClearCache",null]', Call("1", "ClearCache", {})),
        ('[3,"1",{"a":1}]', CallResult("1", {"a": 1})),
        ('[4,"1","InternalError","",{}]', CallError("1", "InternalError", "", {})),
    ],
)
def test_reads_frames(text, frame):
    assert parse(text) == frame


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", "[2]", '[2,1,"Reset",{}]', '[5,"1",{}]', '[3,"1",[]]', "[" * 100_000],
)
def test_refuses_what_is_no_frame(text):
    with pytest.raises(MalformedFrame):
        parse(text)


async def test_raw_client_exchanges_any_text(central):
    client = await RawClient.open(central.url, "SIM-1")
    assert client.subprotocol == "ocpp1.6"
    reply = await client.exchange('[2,"x","Heartbeat",{}]')
    assert parse(reply or "").message_id == "x"
    assert await client.exchange("hello", timeout_s=0.05) is None
    assert central.broken == ["hello"]
    await client.close()
    with pytest.raises(ConnectionLost):
        await client.send("anybody there?")


@pytest.mark.parametrize("status", [HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND])
async def test_refused_handshake_tells_the_status(central, status):
    central.refuse_with = status
    with pytest.raises(HandshakeRefused) as caught:
        await RawClient.open(central.url, "SIM-1")
    assert caught.value.status == status
    assert caught.value.body == b"no\n"


async def test_identity_is_one_encoded_segment_and_the_key_may_be_binary(central):
    client = await RawClient.open(central.url, "RDAM|1/2 3", password=b"\x00:\xff")
    assert client.connection.request.path == "/ocpp/RDAM%7C1%2F2%203"
    header = central.authorizations[0].removeprefix("Basic ")
    assert base64.b64decode(header) == b"RDAM|1/2 3:\x00:\xff"
    await client.close()


async def test_station_refuses_a_server_that_chooses_no_subprotocol(central, make_station):
    central.subprotocols = None
    with pytest.raises(HandshakeRefused):
        await make_station().connect()


async def test_script_without_supervision(central, make_station):
    station = make_station()
    await station.connect()
    await station.boot()
    result = await station.call("DataTransfer", {"vendorId": "x"}, message_id="mine")
    assert result == {}
    assert central.seen[-1].message_id == "mine"
    reply = await station.send_raw('[2,"raw","Heartbeat",{}]')
    assert parse(reply or "").message_id == "raw"


async def test_call_reports_errors_and_silence(central, make_station):
    station = make_station(call_timeout_s=0.05)
    await station.start()
    central.answers["DataTransfer"] = lambda _: ("SecurityError", "no")
    with pytest.raises(CallErrorReceived, match="SecurityError: no"):
        await station.call("DataTransfer", {"vendorId": "x"})
    central.answers["DataTransfer"] = lambda _: SILENT
    with pytest.raises(CallTimeout):
        await station.call("DataTransfer", {"vendorId": "x"})
    await station.go_offline()
    with pytest.raises(ConnectionLost):
        await station.call("DataTransfer", {"vendorId": "x"})


async def test_one_call_at_a_time(central, make_station):
    """Forty statuses at once leave one by one: no second CALL before the first is answered."""
    station = make_station()
    await station.start()
    for _ in range(20):
        station.spawn(station.report_status(station.outlets[1]))
        station.spawn(station.call(*station.dialect.heartbeat()))
    await station.wait_until(lambda s: s.journal.counts["acknowledged"] == 43)

    directions = [frame.direction for frame in station.journal.frames]
    assert directions == ["sent", "received"] * 43


async def test_keeps_dialling_until_somebody_answers(central, make_station):
    central.refuse_with = HTTPStatus.SERVICE_UNAVAILABLE
    station = make_station()
    station.power_on()
    await central.wait_for(lambda: len(central.authorizations) >= 3)
    central.refuse_with = None
    await station.wait_until(lambda s: s.is_online)


def test_other_versions_are_refused_by_name():
    with pytest.raises(ValueError, match=r"ocpp2\.0\.1"):
        VirtualStation("ws://127.0.0.1:1", "SIM-1", protocol="ocpp2.0.1")
