"""The ends a command can come to, seen from outside: RELIABILITY checks 19 to 24, 45, 47, 73."""

import asyncio
import json
from typing import Any

import pytest

from stations.simulator.client import HandshakeRefused
from tests.conformance.fixtures import WatchedServer
from tests.conformance.messages import start_of
from tests.conformance.site import Registered, Site, until
from tests.conformance.wire import Refused, WireStation


async def test_commands_asked_at_once_go_out_one_by_one(site: Site) -> None:
    slow, other = await site.make_station(), await site.make_station()
    async with site.connect(slow) as wire, site.connect(other) as neighbour:
        asked = await asyncio.gather(
            *(site.ask(slow, "DataTransfer", vendorId="v", messageId=str(n)) for n in range(5))
        )
        seen = []
        for _ in range(5):
            call = await wire.expect("DataTransfer")
            seen.append(call.payload["messageId"])
            assert wire.calls.empty()
            # Nobody else waits for this station's answer, and its own calls are served meanwhile.
            command = await site.ask(other, "ClearCache")
            await neighbour.take("ClearCache")
            assert (await site.ended(command))["status"] == "accepted"
            assert await wire.is_heard()
            assert wire.calls.empty()
            await wire.answer(call, {"status": "Accepted"})
        by_age = sorted(asked, key=lambda command: int(command["id"]))
        assert seen == [command["payload"]["messageId"] for command in by_age]
        for command in asked:
            assert (await site.ended(command))["status"] == "accepted"


async def test_an_answer_that_never_comes_ends_the_command_and_a_late_one_changes_nothing(
    site: Site, impatient: WatchedServer
) -> None:
    station = await site.make_station()
    async with site.connect(station, server=impatient) as wire:
        first = await site.ask(station, "ClearCache")
        unanswered = await wire.expect("ClearCache")
        second = await site.ask(station, "Reset", type="Soft")
        done = await site.ended(first)
        assert (done["status"], done["error"]["code"]) == ("timed_out", "no_answer")
        call = await wire.expect("Reset")
        await wire.answer(unanswered, {"status": "Accepted"})
        await wire.answer(call, {"status": "Rejected"})
        assert (await site.ended(second))["status"] == "rejected"
        late = await site.rest.get(f"/commands/{first['id']}/")
        assert late["status"] == "timed_out"
        assert late["response"] == {"status": "Accepted"}
        # Never sent again.
        assert await wire.is_heard()
        assert wire.calls.empty()


async def test_a_station_deaf_to_commands_has_its_socket_recycled(
    site: Site, impatient: WatchedServer
) -> None:
    station = await site.make_station()
    async with site.connect(station, server=impatient) as wire:
        commands = [await site.ask(station, "ClearCache") for _ in range(3)]
        async with asyncio.timeout(20):
            await wire.lost.wait()
    for command in commands:
        assert (await site.ended(command))["status"] == "timed_out"
    async with site.connect(station, server=impatient) as wire:
        assert await wire.is_heard()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"status": "Perhaps"}, "invalid_response"),
        ({"status": None}, "invalid_response"),
        ({"status": 99999999999999999999}, "invalid_response"),
        ({}, "invalid_response"),
        ({"status": "\x00"}, "invalid_response"),
        ([], "invalid_response"),
        ("x", "invalid_response"),
        (5, "invalid_response"),
    ],
    ids=repr,
)
async def test_an_answer_that_fits_no_schema_ends_in_error(
    site: Site, body: object, code: str
) -> None:
    station = await site.make_station()
    async with site.connect(station) as wire:
        command = await site.ask(station, "ClearCache")
        call = await wire.expect("ClearCache")
        await wire.client.send(json.dumps([3, call.message_id, body]))
        done = await site.ended(command)
        assert await wire.is_heard()
        assert (done["status"], done["error"]["code"]) == ("error", code)
        again = await site.ask(station, "ClearCache")
        await wire.take("ClearCache")
        assert (await site.ended(again))["status"] == "accepted"


@pytest.mark.parametrize(
    "rest",
    [
        ["NotSupported", "no", {}],
        ["NotSupported", "no", {"number": 99999999999999999999}],
        ["NotSupported", "no", {"text": "\x00\u202e"}],
        ["NotSupported", "no", "SQL text instead of an object"],
        ["x" * 5000, "y" * 5000, {}],
        [5, None, None],
        [],
        ["NotSupported"],
    ],
    ids=lambda rest: repr(rest)[:40],
)
async def test_a_call_error_of_any_shape_ends_the_command(site: Site, rest: list[Any]) -> None:
    station = await site.make_station()
    async with site.connect(station) as wire:
        command = await site.ask(station, "ClearCache")
        call = await wire.expect("ClearCache")
        await wire.client.send(json.dumps([4, call.message_id, *rest]))
        done = await site.ended(command)
        assert done["status"] == "error"
        again = await site.ask(station, "ClearCache")
        await wire.take("ClearCache")
        assert (await site.ended(again))["status"] == "accepted"
    messages = await site.rest.rows(f"{station.path}messages/", limit=200)
    assert "ClearCache" in {message["action"] for message in messages}


async def test_the_same_request_told_twice_is_one_command(site: Site) -> None:
    station, tag = await site.make_station(), await site.make_id_token()
    async with site.connect(station) as wire:
        path = f"{station.path}start/"
        body = {"id_token": tag, "evse_id": 1}
        first, again = await asyncio.gather(
            *(site.rest.post(path, body, status=202, key="double-click") for _ in range(2))
        )
        assert first["id"] == again["id"]
        await site.rest.post(path, body | {"evse_id": 2}, status=409, key="double-click")
        await wire.take("RemoteStartTransaction")
        assert (await site.ended(first))["status"] == "accepted"
        assert await wire.is_heard()
        assert wire.calls.empty()
    assert len(await site.rest.rows(f"{station.path}commands/")) == 1


async def refused(wire: WireStation, action: str, payload: dict[str, Any]) -> str:
    with pytest.raises(Refused) as refusal:
        await wire.call(action, payload)
    return refusal.value.code


async def test_a_pending_station_waits_is_configured_and_then_accepted(site: Site) -> None:
    station, tag = (
        await site.make_station(registration_status="pending"),
        await site.make_id_token(),
    )
    status = {"connectorId": 1, "status": "Available", "errorCode": "NoError"}
    async with site.connect(station, boot=False) as wire:
        boot = await wire.boot()
        assert boot["status"] == "Pending"
        assert boot["interval"] > 0
        assert await refused(wire, "StatusNotification", status) == "SecurityError"
        assert await refused(wire, "StartTransaction", start_of(tag)) == "SecurityError"
        for action, payload in (
            ("RemoteStartTransaction", {"idTag": tag}),
            ("RemoteStopTransaction", {"transactionId": 1}),
        ):
            await site.rest.post(
                f"{station.path}commands/", {"action": action, "payload": payload}, status=409
            )
        command = await site.ask(station, "GetConfiguration")
        await wire.take("GetConfiguration", {})
        assert (await site.ended(command))["status"] == "accepted"
        await site.rest.patch(station.path, {"registration_status": "accepted"})
        assert await wire.take("TriggerMessage") == {"requestedMessage": "BootNotification"}
        assert (await wire.boot())["status"] == "Accepted"
        await wire.call("StatusNotification", status)
    assert await site.transactions(station) == []


async def test_a_rejected_station_is_asked_nothing(site: Site) -> None:
    station = await site.make_station(registration_status="rejected")
    async with site.connect(station, boot=False) as wire:
        boot = await wire.boot()
        assert boot["status"] == "Rejected"
        assert boot["interval"] > 0
        assert await refused(wire, "Heartbeat", {}) == "SecurityError"
        response = await site.rest.http.post(
            f"{station.path}commands/",
            json={"action": "TriggerMessage", "payload": {"requestedMessage": "Heartbeat"}},
        )
        assert response.status_code in (202, 409)
        for _ in range(20):
            assert await refused(wire, "Heartbeat", {}) == "SecurityError"
        assert wire.calls.empty()


async def opens(site: Site, station: Registered, password: str | bytes) -> bool:
    try:
        async with WireStation.open(
            site.server.ocpp_url, station.identity, password=password
        ) as wire:
            return await wire.is_heard()
    except HandshakeRefused as refusal:
        assert refusal.status == 401
        return False


@pytest.mark.parametrize("said", ["Accepted", "Rejected", "NotSupported"])
async def test_a_key_changed_by_command_is_right_when_the_station_took_it(
    site: Site, said: str
) -> None:
    station = await site.make_station()
    key = bytes(range(200, 220))
    async with site.connect(station) as wire:
        command = await site.ask(
            station, "ChangeConfiguration", key="AuthorizationKey", value=key.hex()
        )
        assert key.hex() not in str(command)
        sent = await wire.take("ChangeConfiguration", {"status": said})
        assert sent == {"key": "AuthorizationKey", "value": key.hex()}
        done = await site.ended(command)
        assert key.hex() not in str(done)
    taken = said == "Accepted"

    async def settled() -> bool:
        return await opens(site, station, key) is taken

    await until(settled)
    assert await opens(site, station, str(station.password)) is not taken
    assert key.hex() not in str(await site.rest.rows(f"{station.path}messages/", limit=200))


@pytest.mark.parametrize("number", [2**64, 10**25, -(10**25), 1e300])
async def test_a_payload_with_a_number_that_nobody_can_send_is_refused(
    site: Site, number: float
) -> None:
    station = await site.make_station()
    period = {"startPeriod": 0, "limit": number}
    profile = {
        "chargingProfileId": 1,
        "stackLevel": 0,
        "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Relative",
        "chargingSchedule": {"chargingRateUnit": "W", "chargingSchedulePeriod": [period]},
    }
    async with site.connect(station) as wire:
        await site.rest.post(
            f"{station.path}commands/",
            {
                "action": "SetChargingProfile",
                "payload": {"connectorId": 0, "csChargingProfiles": profile},
            },
            status=400,
        )
        assert await wire.is_heard()
        assert wire.calls.empty()
