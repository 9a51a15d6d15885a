"""Sockets and frames: what RELIABILITY A and D ask beyond tests/stations/ocpp (checks 2 to 22, 75 to 85)."""

import asyncio
import contextlib
import json
from typing import Any

import pytest

from stations.simulator.client import ConnectionLost, HandshakeRefused, RawClient
from tests.conformance.fixtures import WatchedServer
from tests.conformance.messages import meter_values, sample, start_of
from tests.conformance.site import PASSWORD, Site, until
from tests.conformance.wire import WireStation

# --- handshake --------------------------------------------------------------------------------


@pytest.mark.parametrize("offered", [["ocpp2.1", "ocpp2.0.1", "ocpp1.6"], ["ocpp1.6", "ocpp2.0.1"]])
async def test_the_version_belongs_to_the_connection(site: Site, offered: list[str]) -> None:
    station = await site.make_station()
    async with WireStation.open(
        site.server.ocpp_url, station.identity, password=PASSWORD, subprotocols=offered
    ) as wire:
        assert wire.client.subprotocol in offered
    async with site.connect(station) as wire:
        assert wire.client.subprotocol == "ocpp1.6"
        assert (await site.station(station))["protocol"] == "ocpp1.6"


@pytest.mark.parametrize("identity", ["RDAM 123 {}", "RDAM|123 {}", "a*b_c=d+e@f.g-{}"])
@pytest.mark.parametrize("with_password", [True, False])
async def test_identities_with_odd_characters(
    site: Site, identity: str, with_password: bool
) -> None:
    """The decoded identity is the row's and the user name's, with and without a password."""
    number = (await site.make_station()).identity[-8:]
    fields: dict[str, Any] = {} if with_password else {"security_profile": 0}
    station = await site.make_station(identity=identity.format(number), **fields)
    password = PASSWORD if with_password else None
    async with WireStation.open(site.server.ocpp_url, station.identity, password=password) as wire:
        assert await wire.is_heard()
        assert (await site.station(station))["online"]


async def test_an_unknown_station_is_listed_and_can_be_adopted(site: Site) -> None:
    stranger = (await site.make_station()).identity + "-NEW"
    with pytest.raises(HandshakeRefused) as refusal:
        await RawClient.open(site.server.ocpp_url, stranger, password=PASSWORD)
    assert refusal.value.status == 404
    await site.rest.get(f"/stations/{stranger}/", status=404)
    failures = await site.rest.rows("/handshake-failures/", identity=stranger)
    assert [row["reason"] for row in failures] == ["unknown_identity"]
    await site.rest.post(f"/handshake-failures/{failures[0]['id']}/adopt/", {"password": PASSWORD})
    async with WireStation.open(site.server.ocpp_url, stranger, password=PASSWORD) as wire:
        assert await wire.is_heard()


async def test_no_secret_reaches_the_log(site: Site, server: WatchedServer) -> None:
    station = await site.make_station(password="secret-that-is-right")
    for password in ("secret-that-is-right", "secret-that-is-wrong"):
        try:
            async with WireStation.open(
                server.ocpp_url, station.identity, password=password
            ) as wire:
                await wire.call("DataTransfer", {"vendorId": "v", "data": "x"})
        except HandshakeRefused:
            pass
    await until(lambda: site.rest.rows(f"{station.path}handshake-failures/"))
    for secret in ("secret-that-is", "c2VjcmV0LXRoYXQtaXM"):
        assert secret not in server.log
        assert secret not in str(await site.rest.rows(f"{station.path}handshake-failures/"))


async def test_failures_of_an_address_never_keep_a_right_password_out(
    site: Site, impatient: WatchedServer
) -> None:
    station = await site.make_station()
    statuses = []
    for _ in range(8):
        with pytest.raises(HandshakeRefused) as refusal:
            await RawClient.open(
                impatient.ocpp_url, station.identity, password="wrong-wrong-wrong!!!"
            )
        statuses.append(refusal.value.status)
    assert statuses[0] == 401
    assert statuses[-1] == 429
    async with site.connect(station, server=impatient) as wire:
        assert await wire.is_heard()


# --- several sockets (9, 10) --------------------------------------------------------------------


async def test_commands_reach_only_the_newest_socket(site: Site) -> None:
    station = await site.make_station()
    old = await RawClient.open(site.server.ocpp_url, station.identity, password=PASSWORD)
    old.freeze()
    async with site.connect(station) as wire:
        for _ in range(3):
            command = await site.ask(station, "ClearCache")
            await wire.take("ClearCache")
            assert (await site.ended(command))["status"] == "accepted"
        old.abort()
        assert await wire.is_heard()
        assert (await site.station(station))["online"]


async def test_two_sources_of_one_identity_lose_no_message(site: Site) -> None:
    """Each takes the station from the other again and again; every start is acknowledged and one transaction."""
    station, tag = await site.make_station(), await site.make_id_token()
    acknowledged: dict[int, int] = {}

    async def source(connectors: range, pause_s: float) -> None:
        starts = {number: start_of(tag, connectorId=number) for number in connectors}
        while missing := [number for number in starts if number not in acknowledged]:
            with contextlib.suppress(ConnectionLost):
                async with site.connect(station) as wire:
                    for number in missing[:2]:
                        answer = await wire.call("StartTransaction", starts[number])
                        acknowledged[number] = answer["transactionId"]
            await asyncio.sleep(pause_s)

    await asyncio.gather(source(range(1, 11), 0.3), source(range(11, 21), 0.2))
    rows = await site.transactions(station)
    assert {row["evse_id"]: int(row["ocpp_transaction_id"]) for row in rows} == acknowledged
    assert len(rows) == len(acknowledged) == 20


async def test_presence_follows_the_socket(site: Site) -> None:
    station = await site.make_station()
    assert not (await site.station(station))["online"]
    async with site.connect(station):
        assert (await site.station(station))["online"]

    async def is_offline() -> bool:
        return not (await site.station(station))["online"]

    await until(is_offline, timeout_s=10)


async def test_a_station_that_answers_no_pings_lives_by_what_it_sends(
    site: Site, impatient: WatchedServer
) -> None:
    station = await site.make_station()
    async with WireStation.open(
        impatient.ocpp_url, station.identity, password=PASSWORD, answer_pings=False
    ) as talking:
        loop = asyncio.get_running_loop()
        began = loop.time()
        while loop.time() - began < 6:
            assert await talking.is_heard()
            await asyncio.sleep(0.2)
        # Silent now: the socket is ended and the operator sees it.
        async with asyncio.timeout(30):
            await talking.lost.wait()

    async def is_offline() -> bool:
        return not (await site.station(station))["online"]

    await until(is_offline, timeout_s=10)


# --- frames (14 to 22, 75 to 85) ------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind", ['"2"', "2.0", "true", "null", "[2]", "-2", "02", "2e0", "10" * 30]
)
async def test_what_is_no_message_type_gets_no_result_and_silences_nobody(
    site: Site, kind: str
) -> None:
    station = await site.make_station()
    async with site.connect(station) as wire:
        await wire.client.send(f'[{kind},"odd","Heartbeat",{{}}]')
        assert await wire.is_heard()
        assert [frame for frame in wire.unasked if frame[0] == 3] == []


@pytest.mark.parametrize("message_id", ["x" * 36, " ", "ü" * 36, "-1", "0", "\\u0041"])
async def test_message_ids_of_up_to_36_characters_come_back_unchanged(
    site: Site, message_id: str
) -> None:
    station = await site.make_station()
    async with site.connect(station) as wire:
        frame = await wire.exchange(
            f'[2,"{message_id}","Heartbeat",{{}}]', json.loads(f'"{message_id}"'), "Heartbeat"
        )
        assert frame[0] == 3


@pytest.mark.parametrize(
    "action",
    ["x" * 10_000, "", "heartbeat", "HEARTBEAT", " Heartbeat", "Heartbeat\\u0000", "__class__"],
)
async def test_an_unknown_action_is_not_implemented(site: Site, action: str) -> None:
    station = await site.make_station()
    async with site.connect(station) as wire:
        frame = await wire.exchange(f'[2,"a","{action}",{{}}]', "a")
        assert (frame[0], frame[2]) == (4, "NotImplemented")
        assert len(json.dumps(frame)) < 1000
        assert await wire.is_heard()


@pytest.mark.parametrize(
    "frame",
    [
        '[2,"s","Heartbeat",{}]\x00',
        '\ufeff[2,"s","Heartbeat",{}]',
        ' \r\n[ 2 , "s" , "Heartbeat" , { } ] \r\n',
        '[2,"s","Heartbeat",{"a":1,"a":2}]',
        '[2,"s","Heartbeat",{"x":{"y":[null,true,1e2]}}]',
        '\x00[2,"s","Heartbeat",null]\x00\x00',
    ],
)
async def test_sloppy_frames_are_read(site: Site, frame: str) -> None:
    station = await site.make_station()
    async with site.connect(station) as wire:
        assert (await wire.exchange(frame, "s", "Heartbeat"))[0] == 3


@pytest.mark.parametrize("wrapping", ["{}\x00", "{}\x00\x00", "\ufeff{}", " \n{}\n ", "\x00{}"])
async def test_sloppy_frames_are_kept_as_facts(site: Site, wrapping: str) -> None:
    """The terminator of a string buffer, a byte order mark: the message counts and shows in the trace."""
    station, tag = await site.make_station(), await site.make_id_token()
    async with site.connect(station) as wire:
        text = json.dumps([2, "s", "StartTransaction", start_of(tag)])
        frame = await wire.exchange(wrapping.replace("{}", text), "s", "StartTransaction")
        assert frame[2]["idTagInfo"]["status"] == "Accepted"
        assert frame[2]["transactionId"] > 0
    assert len(await site.transactions(station)) == 1
    [message] = await site.rest.rows(
        f"{station.path}messages/", action="StartTransaction", direction="in"
    )
    assert message["payload"]["idTag"] == tag


@pytest.mark.parametrize(
    "number", [str(2**63), "99999999999999999999", "1e19", "12345678901234567890.5", "-1e19"]
)
async def test_numbers_that_fit_no_column_are_refused_and_still_shown_in_the_trace(
    site: Site, number: str
) -> None:
    station = await site.make_station()
    async with site.connect(station) as wire:
        frame = await wire.exchange(
            f'[2,"n","StopTransaction",{{"transactionId":{number},"meterStop":1,"timestamp":"x"}}]',
            "n",
        )
        assert frame[0] == 4
        assert frame[2] in ("PropertyConstraintViolation", "TypeConstraintViolation")
        assert await wire.is_heard()

    async def traced() -> list[dict[str, Any]]:
        return await site.rest.rows(f"{station.path}messages/", action="StopTransaction")

    await until(traced)


@pytest.mark.parametrize("count_of", [1000, 20_000])
async def test_a_frame_of_very_many_keys_is_one_frame(site: Site, count_of: int) -> None:
    station = await site.make_station()
    keys = ",".join(f'"k{number}":{number}' for number in range(count_of))
    async with site.connect(station) as wire:
        frame = await wire.exchange(f'[2,"k","Heartbeat",{{{keys}}}]', "k", "Heartbeat")
        assert frame[0] == 3


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"a":'])
@pytest.mark.parametrize("where", ["payload", "frame"])
async def test_deep_nesting_is_refused(site: Site, opening: str, where: str) -> None:
    station = await site.make_station()
    deep = opening * (1_000_000 // len(opening))
    async with site.connect(station) as wire:
        text = f'[2,"d","Heartbeat",{deep}' if where == "payload" else deep
        frame = await wire.exchange(text, "d" if where == "payload" else "-1")
        assert (frame[0], frame[2]) == (4, "FormationViolation")
        assert await wire.is_heard()


async def test_a_frame_far_over_the_limit_costs_its_sender_the_socket_and_nobody_else_anything(
    site: Site,
) -> None:
    station, neighbour = await site.make_station(), await site.make_station()
    async with site.connect(neighbour) as other:
        client = await RawClient.open(site.server.ocpp_url, station.identity, password=PASSWORD)
        with pytest.raises(ConnectionLost):
            await client.send("x" * (24 * 1024 * 1024))
            await client.receive(20)
        await client.close()
        assert await other.is_heard()
    async with site.connect(station) as wire:
        assert await wire.is_heard()


@pytest.mark.parametrize("data", [b"\xff\xfe", b'[2,"b","Heartbeat",{}]', b"", b"\x00" * 100])
async def test_binary_frames_are_read_or_refused(site: Site, data: bytes) -> None:
    station = await site.make_station()
    async with site.connect(station) as wire:
        await wire.client.send(data)
        assert await wire.is_heard()
        [frame] = wire.unasked
        assert frame[0] == (3 if b"Heartbeat" in data else 4)


async def test_fragments_with_pings_between_them_are_one_frame(site: Site) -> None:
    station = await site.make_station()
    async with site.connect(station) as wire:
        socket = wire.client.connection

        async def pieces() -> Any:
            for piece in ('[2,"f"', ',"Heart', 'beat",{}', "]"):
                yield piece
                await socket.ping()

        await socket.send(pieces())
        assert await wire.is_heard()
        [frame] = wire.unasked
        assert frame[:2] == [3, "f"]


async def test_ten_thousand_unsolicited_answers_are_ignored(site: Site) -> None:
    station = await site.make_station()
    async with site.connect(station) as wire:
        for number in range(5000):
            await wire.client.send(f'[3,"x{number}",{{"status":"Accepted"}}]')
            await wire.client.send(f'[4,"y{number}","GenericError","",{{}}]')
        assert await wire.is_heard()
        assert wire.unasked == []


async def test_a_flood_holds_up_its_own_station_only(site: Site) -> None:
    flooding, neighbour = await site.make_station(), await site.make_station()
    tag = await site.make_id_token()
    number = 2000
    async with site.connect(flooding) as flood, site.connect(neighbour) as other:

        async def pour() -> None:
            for index in range(number):
                text = json.dumps(
                    [2, f"p{index}", "MeterValues", meter_values(None, sample(index))]
                )
                await flood.client.send(text)

        pouring = asyncio.create_task(pour())
        heard = 0
        while not pouring.done() or heard < 20:
            assert await other.authorize(tag) == "Accepted"
            heard += 1
        await pouring
        # It is heard when its turn comes.
        assert (await flood.exchange('[2,"last","Heartbeat",{}]', "last", "Heartbeat", 120))[0] == 3
        # Slowed down, and not one of them lost.
        assert len([frame for frame in flood.unasked if frame[0] == 3]) == number


async def test_ten_thousand_samples_in_one_message(site: Site) -> None:
    station, tag = await site.make_station(), await site.make_id_token()
    async with site.connect(station) as wire:
        tx_id = (await wire.call("StartTransaction", start_of(tag)))["transactionId"]
        samples = [sample(number, "Voltage", unit="V") for number in range(10_000)]
        await wire.call("MeterValues", meter_values(tx_id, *samples))
        assert await wire.is_heard()
    assert len(await site.meter_values(await site.transaction(tx_id, station))) == 200
