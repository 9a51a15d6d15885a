from __future__ import annotations

import base64

import pytest

from stations.simulator.outlet import AC_22

KEY = "00112233445566778899aabbccddeeff01020304"


@pytest.fixture
async def station(central, make_station):
    station = make_station(connectors=[AC_22, AC_22])
    await station.start()
    return station


@pytest.fixture
async def charging(station):
    await station.plug(1)
    await station.tap("CARD-1", 1)
    return station


async def test_remote_start_really_starts(central, station):
    await station.plug(2)
    answer = await central.result("RemoteStartTransaction", {"idTag": "APP-1"})
    await central.wait_for(lambda: central.of("StartTransaction"))

    assert answer == {"status": "Accepted"}
    start = central.payloads("StartTransaction")[0]
    assert (start["connectorId"], start["idTag"]) == (2, "APP-1")
    assert not central.of("Authorize")


async def test_remote_start_waits_for_the_plug(central, station):
    payload = {"idTag": "APP-1", "connectorId": 1}
    await central.result("RemoteStartTransaction", payload)
    await station.wait_until(lambda s: s.outlets[1].authorized == "APP-1")
    assert not central.of("StartTransaction")
    await station.plug(1)

    assert len(central.of("StartTransaction")) == 1


async def test_remote_start_asks_first_if_configured(central, station):
    station.configuration.set("AuthorizeRemoteTxRequests", "true")
    central.answers["Authorize"] = lambda _: {"idTagInfo": {"status": "Invalid"}}
    await station.plug(1)
    answer = await central.result("RemoteStartTransaction", {"idTag": "APP-1"})
    await central.wait_for(lambda: central.of("Authorize"))
    await central.command("ClearCache", {})

    assert answer == {"status": "Accepted"}
    assert station.outlets[1].tx is None


async def test_remote_start_on_a_busy_connector_is_rejected(central, charging):
    payload = {"idTag": "APP-1", "connectorId": 1}

    assert await central.result("RemoteStartTransaction", payload) == {"status": "Rejected"}


async def test_remote_stop(central, charging):
    assert await central.result("RemoteStopTransaction", {"transactionId": 5}) == {
        "status": "Rejected"
    }
    assert await central.result("RemoteStopTransaction", {"transactionId": 71}) == {
        "status": "Accepted"
    }
    await central.wait_for(lambda: central.of("StopTransaction"))
    assert central.payloads("StopTransaction")[0]["reason"] == "Remote"


@pytest.mark.parametrize("kind", ["Soft", "Hard"])
async def test_reset_stops_and_boots_again(central, charging, kind):
    assert await central.result("Reset", {"type": kind}) == {"status": "Accepted"}
    await central.wait_for(lambda: central.actions.count("BootNotification") == 2)

    assert central.payloads("StopTransaction")[0]["reason"] == f"{kind}Reset"
    assert len(central.connections) == 2


async def test_reset_mends_a_fault(central, station):
    await station.outlets[1].fault("GroundFailure")
    assert central.payloads("StatusNotification")[-1]["errorCode"] == "GroundFailure"
    await central.result("Reset", {"type": "Hard"})
    await central.wait_for(lambda: len(central.statuses(2)) == 2)

    assert central.statuses(1) == ["Available", "Faulted", "Available"]


async def test_unlock_ends_the_session(central, charging):
    assert await central.result("UnlockConnector", {"connectorId": 9}) == {"status": "NotSupported"}
    assert await central.result("UnlockConnector", {"connectorId": 1}) == {"status": "Unlocked"}
    await central.wait_for(lambda: central.of("StopTransaction"))

    assert central.payloads("StopTransaction")[0]["reason"] == "UnlockCommand"


async def test_availability_change_waits_for_the_session(central, charging):
    closed = {"connectorId": 1, "type": "Inoperative"}
    assert await central.result("ChangeAvailability", closed) == {"status": "Scheduled"}
    await charging.stop(1)
    await charging.unplug(1)
    opened = {"connectorId": 1, "type": "Operative"}
    assert await central.result("ChangeAvailability", opened) == {"status": "Accepted"}
    await central.wait_for(lambda: central.statuses(1)[-1] == "Available")

    assert central.statuses(1)[-3:] == ["Charging", "Unavailable", "Available"]


async def test_whole_station_becomes_unavailable(central, station):
    payload = {"connectorId": 0, "type": "Inoperative"}
    assert await central.result("ChangeAvailability", payload) == {"status": "Accepted"}
    await central.wait_for(lambda: central.statuses(2)[-1] == "Unavailable")

    assert [central.statuses(number)[-1] for number in (0, 1, 2)] == ["Unavailable"] * 3


async def test_configuration_is_read_and_changed(central, station):
    answer = await central.result("GetConfiguration", {"key": ["HeartbeatInterval", "Nonsense"]})
    assert answer == {
        "configurationKey": [{"key": "HeartbeatInterval", "readonly": False, "value": "300"}],
        "unknownKey": ["Nonsense"],
    }

    async def change(key, value):
        payload = {"key": key, "value": value}
        return (await central.result("ChangeConfiguration", payload))["status"]

    assert await change("MeterValueSampleInterval", "15") == "Accepted"
    assert station.configuration.integer("MeterValueSampleInterval") == 15
    assert await change("MeterValueSampleInterval", "soon") == "Rejected"
    assert await change("NumberOfConnectors", "4") == "Rejected"
    assert await change("Nonsense", "1") == "NotSupported"
    assert await change("WebSocketPingInterval", "30") == "RebootRequired"


async def test_changed_heartbeat_interval_applies_at_once(central, station):
    payload = {"key": "HeartbeatInterval", "value": "1"}
    await central.result("ChangeConfiguration", payload)

    await central.wait_for(lambda: central.of("Heartbeat"))


async def test_authorization_key_is_used_and_never_shown(central, station):
    payload = {"key": "AuthorizationKey", "value": KEY}
    assert await central.result("ChangeConfiguration", payload) == {"status": "Accepted"}
    await central.wait_for(lambda: len(central.connections) == 2)
    await station.wait_until(lambda s: s.is_online)

    credentials = base64.b64decode(central.authorizations[-1].removeprefix("Basic "))
    assert credentials == b"SIM-1:" + bytes.fromhex(KEY)
    everything = await central.result("GetConfiguration", {})
    assert "AuthorizationKey" not in [entry["key"] for entry in everything["configurationKey"]]
    asked = await central.result("GetConfiguration", {"key": ["AuthorizationKey"]})
    assert asked == {"configurationKey": [{"key": "AuthorizationKey", "readonly": False}]}


@pytest.mark.parametrize("value", ["secret", "00" * 15, "00" * 21])
async def test_bad_authorization_key_is_rejected(central, station, value):
    payload = {"key": "AuthorizationKey", "value": value}

    assert await central.result("ChangeConfiguration", payload) == {"status": "Rejected"}


@pytest.mark.parametrize(
    "requested",
    [
        "BootNotification",
        "Heartbeat",
        "StatusNotification",
        "MeterValues",
        "DiagnosticsStatusNotification",
        "FirmwareStatusNotification",
    ],
)
async def test_triggered_message_follows_the_answer(central, station, requested):
    before = len(central.of(requested))
    answer = await central.result("TriggerMessage", {"requestedMessage": requested})
    await central.wait_for(lambda: len(central.of(requested)) > before)

    assert answer == {"status": "Accepted"}


async def test_trigger_names_the_connector(central, station):
    before = len(central.seen)
    payload = {"requestedMessage": "StatusNotification", "connectorId": 2}
    await central.result("TriggerMessage", payload)
    await central.wait_for(lambda: len(central.seen) > before)

    assert central.payloads("StatusNotification")[-1]["connectorId"] == 2
    payload["connectorId"] = 7
    assert await central.result("TriggerMessage", payload) == {"status": "Rejected"}


async def test_triggered_reading_in_a_session_carries_its_transaction(central, charging):
    charging.configuration.set("MeterValueSampleInterval", "0")
    payload = {"requestedMessage": "MeterValues", "connectorId": 1}
    await central.result("TriggerMessage", payload)

    def triggered():
        return [
            payload
            for payload in central.payloads("MeterValues")
            if payload["meterValue"][0]["sampledValue"][0]["context"] == "Trigger"
        ]

    await central.wait_for(triggered)
    assert triggered()[0]["transactionId"] == 71


@pytest.mark.parametrize(
    ("action", "payload", "answer"),
    [
        ("ClearCache", {}, {"status": "Accepted"}),
        ("DataTransfer", {"vendorId": "Acme"}, {"status": "UnknownVendorId"}),
        (
            "DataTransfer",
            {"vendorId": "org.magetsi", "messageId": "Echo", "data": "hi"},
            {"status": "Accepted", "data": "hi"},
        ),
        ("GetLocalListVersion", {}, {"listVersion": 0}),
        ("SendLocalList", {"listVersion": 1, "updateType": "Full"}, {"status": "Accepted"}),
        ("TriggerMessage", {"requestedMessage": "Nonsense"}, {"status": "NotImplemented"}),
        ("GetDiagnostics", {"location": "ftp://example.com/"}, {}),
    ],
)
async def test_other_answers(central, station, action, payload, answer):
    assert await central.result(action, payload) == answer


async def test_unknown_action_and_bad_payload_are_call_errors(central, station):
    assert (await central.command("MakeCoffee", {}))[2] == "NotImplemented"
    assert (await central.command("RemoteStopTransaction", {}))[2] == "FormationViolation"
    assert (await central.command("Reset", {"type": "Gentle"}))[2] == "FormationViolation"
