"""Connection and boot: TC_001, TC_032_1, TC_085, TC_088."""

from datetime import UTC, datetime

import pytest

from stations.simulator.client import HandshakeRefused
from tests.conformance.messages import start_of, stop_of
from tests.conformance.site import PASSWORD, Site, until
from tests.conformance.wire import WireStation


async def test_tc_001_cold_boot(site: Site) -> None:
    station = await site.make_station()
    async with site.connect(station, boot=False) as wire:
        boot = await wire.boot(chargePointSerialNumber="SN-7", firmwareVersion="4.2")
        assert boot["status"] == "Accepted"
        assert boot["interval"] > 0
        assert (
            abs((datetime.now(UTC) - datetime.fromisoformat(boot["currentTime"])).total_seconds())
            < 5
        )
        for connector_id in (0, 1, 2):
            await wire.status(connector_id, "Available")
        assert (await wire.call("Heartbeat"))["currentTime"].endswith("Z")
        shown = await site.station(station)
    assert (shown["online"], shown["protocol"], shown["status"]) == (True, "ocpp1.6", "Available")
    assert (shown["vendor"], shown["model"], shown["serial_number"], shown["firmware_version"]) == (
        "Acme",
        "Wallbox",
        "SN-7",
        "4.2",
    )
    # Connector 0 is the station itself and no outlet.
    assert [evse["evse_id"] for evse in shown["evses"]] == [1, 2]


async def test_tc_032_1_power_failure_with_transactions_stopped(site: Site) -> None:
    station, tag = await site.make_station(), await site.make_id_token()
    async with site.connect(station) as wire:
        tx_id = (await wire.call("StartTransaction", start_of(tag)))["transactionId"]
        await wire.status(1, "Charging")
    async with site.connect(station) as wire:
        # The boot does not end what was running: the station says how it ended.
        assert (await site.transaction(tx_id, station))["status"] == "active"
        await wire.call("StopTransaction", stop_of(tx_id, reason="PowerLoss"))
        await wire.status(1, "Finishing")
        await wire.status(1, "Available")
    tx = await site.transaction(tx_id, station)
    assert (tx["status"], tx["stop_reason"], tx["energy_wh"]) == ("ended", "PowerLoss", 5000)
    assert (await site.connector(station))["status"] == "Available"


async def test_tc_085_basic_authentication(site: Site) -> None:
    """Right name and password open the socket; anything else is 401 before the upgrade, and the operator sees it."""
    station = await site.make_station()
    async with site.connect(station) as wire:
        assert await wire.is_heard()
    for options in (
        {},
        {"password": "wrong-key-of-twenty!"},
        {"password": PASSWORD, "username": station.identity.lower()},
        {"password": PASSWORD + "\0"},
        {"password": ""},
    ):
        with pytest.raises(HandshakeRefused) as refusal:
            async with WireStation.open(site.server.ocpp_url, station.identity, **options):
                pass
        assert refusal.value.status == 401, options
    failures = await site.rest.rows(f"{station.path}handshake-failures/")
    assert {row["reason"] for row in failures} == {
        "no_credentials",
        "wrong_credentials",
        "wrong_user",
    }


async def test_tc_085_key_of_raw_bytes(site: Site) -> None:
    secret = bytes([0, 58, 255, 254]) + bytes(range(60, 76))
    station = await site.make_station(password_hex=secret.hex())
    async with WireStation.open(site.server.ocpp_url, station.identity, password=secret) as wire:
        assert await wire.is_heard()
    with pytest.raises(HandshakeRefused) as refusal:
        async with WireStation.open(site.server.ocpp_url, station.identity, password=secret.hex()):
            pass
    assert refusal.value.status == 401


async def test_tc_085_a_changed_password_decides_the_next_handshake(site: Site) -> None:
    station = await site.make_station()
    async with site.connect(station) as wire:
        await site.rest.patch(station.path, {"password": "another-key-entirely"})
        assert await wire.is_heard()

    async def refused() -> bool:
        try:
            async with site.connect(station):
                return False
        except HandshakeRefused as refusal:
            return refusal.status == 401

    await until(refused, timeout_s=1)
    async with WireStation.open(
        site.server.ocpp_url, station.identity, password="another-key-entirely"
    ) as wire:
        assert await wire.is_heard()


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (["ocpp1.6"], "ocpp1.6"),
        (["ocpp9.9", "ocpp1.6"], "ocpp1.6"),
        (["ocpp2.9", "ocpp1.6", "ocpp1.5"], "ocpp1.6"),
        (["ocpp9.9"], None),
        (["ocpp1.5"], None),
        (["OCPP1.6"], None),
        (None, None),
    ],
)
async def test_tc_088_subprotocol_negotiation(
    site: Site, offered: list[str] | None, chosen: str | None
) -> None:
    station = await site.make_station()

    async def connect() -> str | None:
        async with WireStation.open(
            site.server.ocpp_url, station.identity, password=PASSWORD, subprotocols=offered
        ) as wire:
            assert await wire.is_heard()
            return wire.client.subprotocol

    if chosen is not None:
        assert await connect() == chosen
        return
    with pytest.raises(HandshakeRefused) as refusal:
        await connect()
    assert refusal.value.status == 400
    [failure] = await site.rest.rows(f"{station.path}handshake-failures/")
    assert failure["reason"] == "no_subprotocol"
