"""Commands from the row to the socket and back, with every end they can have."""

import asyncio

import pytest
from django.utils import timezone

from accounts.services.actors import Actor
from cms.base.errors import Conflict, Invalid
from stations.models import ChargingStation, Command, OcppMessage
from stations.services import commands
from stations.services.passwords import verify_password
from stations.simulator.client import HandshakeRefused, RawClient
from tests.stations.ocpp.conftest import PASSWORD, eventually, in_db


def queue(tenant, row, action, **payload) -> Command:
    """Queue a command as Magetsi itself."""
    return commands.queue_command(
        station=ChargingStation.objects.get(pk=row.pk),
        action=action,
        payload=payload,
        acting=Actor.system(tenant.operator),
    )


async def ended(command: Command) -> Command:
    """Await the end of a command."""
    return await eventually(
        lambda: Command.objects.filter(pk=command.pk, finished_at__isnull=False).first()
    )


@pytest.mark.parametrize(
    ("action", "payload", "response", "status"),
    [
        ("Reset", {"type": "Hard"}, {"status": "Accepted"}, "accepted"),
        ("Reset", {"type": "Soft"}, {"status": "Rejected"}, "rejected"),
        ("UnlockConnector", {"connectorId": 1}, {"status": "Unlocked"}, "accepted"),
        ("UnlockConnector", {"connectorId": 1}, {"status": "UnlockFailed"}, "rejected"),
        ("UnlockConnector", {"connectorId": 1}, {"status": "NotSupported"}, "rejected"),
        (
            "ChangeAvailability",
            {"connectorId": 0, "type": "Inoperative"},
            {"status": "Scheduled"},
            "accepted",
        ),
        (
            "ChangeConfiguration",
            {"key": "k", "value": "v"},
            {"status": "RebootRequired"},
            "accepted",
        ),
        ("ChangeConfiguration", {"key": "k", "value": "v"}, {"status": "NotSupported"}, "rejected"),
        ("ClearCache", {}, {"status": "Accepted"}, "accepted"),
        (
            "TriggerMessage",
            {"requestedMessage": "Heartbeat"},
            {"status": "NotImplemented"},
            "rejected",
        ),
        ("DataTransfer", {"vendorId": "v"}, {"status": "UnknownVendorId"}, "rejected"),
        (
            "RemoteStartTransaction",
            {"idTag": "A", "connectorId": 1},
            {"status": "Accepted"},
            "accepted",
        ),
        ("RemoteStopTransaction", {"transactionId": 7}, {"status": "Rejected"}, "rejected"),
        (
            "GetConfiguration",
            {},
            {"configurationKey": [{"key": "a", "readonly": True, "value": "1"}], "unknownKey": []},
            "accepted",
        ),
        ("GetConfiguration", {"key": ["a"]}, {}, "accepted"),
    ],
)
async def test_commands_end_as_the_station_says(tenant, connect, action, payload, response, status):
    row = await in_db(tenant.make_station)
    async with connect(row, boot=True) as station:
        command = await in_db(lambda: queue(tenant, row, action, **payload))
        call = await station.expect_call(action)
        assert call[3] == payload
        sent = await in_db(lambda: Command.objects.get(pk=command.pk))
        assert (sent.status, sent.sent_at is not None) == ("sent", True)
        await station.answer(call, response)
        done = await ended(command)
    assert (done.status, done.response, done.error) == (status, response, None)
    assert done.message_id == call[1]


async def test_call_error_ends_in_error(tenant, connect):
    row = await in_db(tenant.make_station)
    async with connect(row, boot=True) as station:
        command = await in_db(lambda: queue(tenant, row, "ClearCache"))
        call = await station.expect_call("ClearCache")
        await station.client.send(f'[4,"{call[1]}","NotImplemented","no such thing",{{}}]')
        done = await ended(command)
    assert done.status == "error"
    assert (done.error["code"], done.error["description"]) == ("NotImplemented", "no such thing")


@pytest.mark.parametrize("body", ['{"status":"Perhaps"}', '{"status":5}'])
async def test_invalid_response_ends_in_error_with_the_body_kept(tenant, connect, body):
    row = await in_db(tenant.make_station)
    async with connect(row, boot=True) as station:
        command = await in_db(lambda: queue(tenant, row, "ClearCache"))
        call = await station.expect_call("ClearCache")
        await station.client.send(f'[3,"{call[1]}",{body}]')
        done = await ended(command)
        assert await station.is_heard()
    assert (done.status, done.error["code"]) == ("error", "invalid_response")
    assert done.response["status"] in ("Perhaps", 5)


async def test_one_call_at_a_time_in_order_while_the_stations_calls_are_served(tenant, connect):
    row = await in_db(tenant.make_station)
    async with connect(row, boot=True) as station:
        queued = [
            await in_db(
                lambda n=n: queue(tenant, row, "DataTransfer", vendorId="v", messageId=str(n))
            )
            for n in range(5)
        ]
        for number in range(5):
            call = await station.expect_call("DataTransfer")
            assert call[3]["messageId"] == str(number)
            # Its own call is served, and no second call of ours comes, before this one is answered.
            assert await station.is_heard()
            waiting = await in_db(
                lambda: Command.objects.filter(station=row, status="queued").count()
            )
            assert waiting == 4 - number
            await station.answer(call, {"status": "Accepted"})
        for command in queued:
            assert (await ended(command)).status == "accepted"


async def test_commands_wait_for_an_offline_station(tenant, connect):
    row = await in_db(tenant.make_station)
    async with connect(row, boot=True):
        pass
    command = await in_db(lambda: queue(tenant, row, "ClearCache"))
    async with connect(row) as station:
        await station.answer(await station.expect_call("ClearCache"), {"status": "Accepted"})
        assert (await ended(command)).status == "accepted"


async def test_a_closed_socket_ends_what_was_sent_and_never_sends_it_again(tenant, connect):
    row = await in_db(tenant.make_station)
    async with connect(row, boot=True) as station:
        command = await in_db(lambda: queue(tenant, row, "Reset", type="Hard"))
        await station.expect_call("Reset")
    assert (await ended(command)).status == "timed_out"
    async with connect(row) as station:
        assert await station.is_heard()


async def test_late_answer_is_ignored_but_kept(tenant, connect):
    row = await in_db(tenant.make_station)
    async with connect(row, boot=True) as station:
        command = await in_db(lambda: queue(tenant, row, "ClearCache"))
        call = await station.expect_call("ClearCache")
        await station.answer(call, {"status": "Accepted"})
        await ended(command)
        await station.answer(call, {"status": "Rejected"})
        assert await station.is_heard()
    assert (await in_db(lambda: Command.objects.get(pk=command.pk))).status == "accepted"


async def test_expired_commands_are_never_sent(tenant, connect):
    row = await in_db(tenant.make_station)
    async with connect(row, boot=True):
        pass
    command = await in_db(lambda: queue(tenant, row, "Reset", type="Soft"))
    await in_db(lambda: Command.objects.filter(pk=command.pk).update(expires_at=timezone.now()))
    async with connect(row) as station:
        assert await station.is_heard()
        await in_db(commands.sweep_commands)
        done = await ended(command)
    assert (done.status, done.error["code"], done.sent_at) == ("cancelled", "expired", None)


async def test_a_key_that_was_never_sent_is_not_kept(tenant, connect):
    row = await in_db(tenant.make_station)
    async with connect(row, boot=True):
        pass
    keys = [
        await in_db(
            lambda: queue(
                tenant, row, "ChangeConfiguration", key="AuthorizationKey", value="ab" * 20
            )
        )
        for _ in range(2)
    ]
    actor = Actor.system(tenant.operator)
    await in_db(lambda: commands.cancel_command(command=keys[0], acting=actor))
    await in_db(lambda: Command.objects.filter(pk=keys[1].pk).update(expires_at=timezone.now()))
    await in_db(commands.sweep_commands)
    for command in keys:
        payload = await in_db(lambda c=command: Command.objects.get(pk=c.pk).payload)
        assert payload["key"] == "AuthorizationKey"
        assert "ab" * 20 not in payload["value"]


async def test_cancel_takes_back_only_what_was_not_sent(tenant, connect):
    row = await in_db(tenant.make_station)
    async with connect(row, boot=True):
        pass
    command = await in_db(lambda: queue(tenant, row, "ClearCache"))
    actor = Actor.system(tenant.operator)
    done = await in_db(lambda: commands.cancel_command(command=command, acting=actor))
    assert done.status == "cancelled"
    with pytest.raises(Conflict):
        await in_db(lambda: commands.cancel_command(command=command, acting=actor))


async def test_what_does_not_fit_is_refused_before_it_is_queued(tenant, connect):
    row = await in_db(tenant.make_station)
    with pytest.raises(Conflict):
        await in_db(lambda: queue(tenant, row, "ClearCache"))
    async with connect(row, boot=True):
        for action, payload, field in [
            ("Reset", {"type": "Sideways"}, "payload.type"),
            ("Reset", {}, "payload.type"),
            ("Heartbeat", {}, "action"),
            ("SetVariables", {}, "action"),
            ("Nonsense", {}, "action"),
        ]:
            with pytest.raises(Invalid) as caught:
                await in_db(lambda a=action, p=payload: queue(tenant, row, a, **p))
            assert field in caught.value.data["fields"]
    assert not await in_db(lambda: Command.objects.filter(station=row).exists())


async def test_a_pending_station_is_configured_but_not_started(tenant, connect):
    row = await in_db(lambda: tenant.make_station(registration_status="pending"))
    async with connect(row, boot=True) as station:
        with pytest.raises(Conflict):
            await in_db(lambda: queue(tenant, row, "RemoteStartTransaction", idTag="A"))
        command = await in_db(
            lambda: queue(tenant, row, "TriggerMessage", requestedMessage="BootNotification")
        )
        await station.answer(await station.expect_call("TriggerMessage"), {"status": "Accepted"})
        assert (await ended(command)).status == "accepted"


NEW_KEY = bytes(range(60, 80))


@pytest.mark.parametrize(
    ("response", "new_works", "old_works"),
    [
        ({"status": "Accepted"}, True, False),
        ({"status": "Rejected"}, False, True),
        ({"status": "NotSupported"}, False, True),
        (None, True, True),
    ],
)
async def test_rotating_the_password(tenant, connect, ocpp_server, response, new_works, old_works):
    """New only, old only, or both while the answer is unknown; the key is never readable back."""
    row = await in_db(tenant.make_station)
    async with connect(row, boot=True) as station:
        command = await in_db(
            lambda: queue(
                tenant, row, "ChangeConfiguration", key="AuthorizationKey", value=NEW_KEY.hex()
            )
        )
        call = await station.expect_call("ChangeConfiguration")
        assert call[3]["value"] == NEW_KEY.hex()
        if response is not None:
            await station.answer(call, response)
            await ended(command)
    done = await ended(command)
    assert NEW_KEY.hex() not in str(done.payload)

    def accepts(secret: bytes) -> bool:
        known = ChargingStation.objects.get(pk=row.pk)
        return verify_password(secret, known.password_hash) or verify_password(
            secret, known.previous_password_hash
        )

    assert await in_db(lambda: accepts(NEW_KEY)) is new_works
    assert await in_db(lambda: accepts(PASSWORD.encode())) is old_works
    secret = NEW_KEY if new_works else PASSWORD
    client = await RawClient.open(ocpp_server.ocpp_url, row.identity, password=secret)
    await client.close()
    if response is None:
        # What the station used settles it: from now on one key.
        await eventually(lambda: not accepts(PASSWORD.encode()))
        with pytest.raises(HandshakeRefused):
            async with asyncio.timeout(5):
                while True:
                    await (
                        await RawClient.open(ocpp_server.ocpp_url, row.identity, password=PASSWORD)
                    ).close()
    stored = await in_db(lambda: [m.payload for m in OcppMessage.objects.filter(station_id=row.pk)])
    assert not any(NEW_KEY.hex() in payload for payload in stored)
