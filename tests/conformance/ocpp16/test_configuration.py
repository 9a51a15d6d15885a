"""Configuration and data transfer: TC_019_1, TC_019_2, TC_021, TC_040_1, TC_040_2, TC_064."""

from typing import Any

import pytest

from tests.conformance.site import Registered, Site, until
from tests.conformance.wire import WireStation

KEYS = [
    {"key": "HeartbeatInterval", "readonly": False, "value": "300"},
    {"key": "NumberOfConnectors", "readonly": True, "value": "2"},
    {"key": "Odd", "readonly": True},
]

INTERVAL = "MeterValueSampleInterval"


async def read(site: Site, wire: WireStation, station: Registered, key: str) -> None:
    """The station tells a setting, 60."""
    command = await site.ask(station, "GetConfiguration", key=[key])
    told = [{"key": key, "readonly": False, "value": "60"}]
    await wire.take("GetConfiguration", {"configurationKey": told})
    await site.ended(command)


async def settings(site: Site, station: Registered) -> dict[str, str | None]:
    """What is known of the station's settings."""
    rows = await site.rest.rows(f"{station.path}variables/")
    return {row["variable"]: row["value"] for row in rows}


@pytest.mark.parametrize("payload", [{}, {"key": []}])
async def test_tc_019_1_all_keys(site: Site, payload: dict[str, Any]) -> None:
    station = await site.make_station()
    async with site.connect(station) as wire:
        command = await site.ask(station, "GetConfiguration", **payload)
        answer = {"configurationKey": KEYS, "unknownKey": []}
        assert (await wire.take("GetConfiguration", answer)).get("key", []) == []
        done = await site.ended(command)
    assert (done["status"], done["response"]) == ("accepted", answer)


async def test_tc_019_2_one_key(site: Site) -> None:
    station = await site.make_station()
    async with site.connect(station) as wire:
        command = await site.ask(station, "GetConfiguration", key=["HeartbeatInterval"])
        answer = {"configurationKey": KEYS[:1]}
        assert await wire.take("GetConfiguration", answer) == {"key": ["HeartbeatInterval"]}
        assert (await site.ended(command))["response"] == answer


async def test_tc_021_change(site: Site) -> None:
    station = await site.make_station()
    async with site.connect(station) as wire:
        command = await site.ask(
            station, "ChangeConfiguration", key="MeterValueSampleInterval", value="60"
        )
        asked = await wire.take("ChangeConfiguration")
        assert asked == {"key": "MeterValueSampleInterval", "value": "60"}
        assert (await site.ended(command))["status"] == "accepted"


async def test_tc_021_a_value_is_text(site: Site) -> None:
    station = await site.make_station()
    async with site.connect(station) as wire:
        refused = await site.rest.post(
            f"{station.path}commands/",
            {"action": "ChangeConfiguration", "payload": {"key": "K", "value": 60}},
            status=400,
        )
        assert list(refused["data"]["fields"]) == ["payload.value"]
        assert await wire.is_heard()
        assert wire.calls.empty()


@pytest.mark.parametrize(("case", "said"), [("tc_040_1", "NotSupported"), ("tc_040_2", "Rejected")])
async def test_tc_040_change_refused(site: Site, case: str, said: str) -> None:
    station = await site.make_station()
    async with site.connect(station) as wire:
        await read(site, wire, station, INTERVAL)

        async def known() -> bool:
            return bool(await settings(site, station))

        await until(known)
        command = await site.ask(station, "ChangeConfiguration", key=INTERVAL, value="-1")
        await wire.take("ChangeConfiguration", {"status": said})
        done = await site.ended(command)
        assert (done["status"], done["response"]) == ("rejected", {"status": said})
        # Once a later answer has found its place, so has this one.
        await read(site, wire, station, "Later")

        async def later() -> bool:
            return "Later" in await settings(site, station)

        await until(later)
    assert await settings(site, station) == {INTERVAL: "60", "Later": "60"}


async def test_tc_040_what_the_station_took_is_recorded(site: Site) -> None:
    station = await site.make_station()
    async with site.connect(station) as wire:
        for value, said in (("30", "Accepted"), ("20", "RebootRequired")):
            command = await site.ask(station, "ChangeConfiguration", key=INTERVAL, value=value)
            await wire.take("ChangeConfiguration", {"status": said})
            await site.ended(command)

            async def recorded(value: str = value) -> bool:
                return await settings(site, station) == {INTERVAL: value}

            await until(recorded)
        [row] = await site.rest.rows(f"{station.path}variables/")
    assert row["pending_reboot"] is True


@pytest.mark.parametrize(
    "payload",
    [
        {"vendorId": "nobody.example"},
        {"vendorId": "nobody.example", "messageId": "m", "data": "x" * 5000},
        {"vendorId": "", "data": ""},
    ],
)
async def test_tc_064_data_transfer_of_an_unknown_vendor(
    site: Site, payload: dict[str, Any]
) -> None:
    station = await site.make_station()
    async with site.connect(station) as wire:
        answer = await wire.call("DataTransfer", payload)
    assert answer["status"] in ("UnknownVendorId", "UnknownMessageId", "Rejected")
    assert "data" not in answer


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ({"status": "Accepted", "data": "ok"}, "accepted"),
        ({"status": "Rejected"}, "rejected"),
        ({"status": "UnknownMessageId"}, "rejected"),
        ({"status": "UnknownVendorId"}, "rejected"),
    ],
)
async def test_data_transfer_to_the_station(site: Site, said: dict[str, Any], outcome: str) -> None:
    station = await site.make_station()
    sent = {"vendorId": "acme.example", "messageId": "light", "data": "an"}
    async with site.connect(station) as wire:
        command = await site.ask(station, "DataTransfer", **sent)
        assert await wire.take("DataTransfer", said) == sent
        done = await site.ended(command)
    assert (done["status"], done["response"]) == (outcome, said)
