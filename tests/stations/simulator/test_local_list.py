"""A virtual station keeps a list of cards, and decides by it while it is offline."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
async def station(make_station):
    station = make_station(configuration={"AllowOfflineTxForUnknownId": "false"})
    await station.start()
    return station


def card(id_tag: str, status: str = "Accepted", **info: Any) -> dict[str, Any]:
    return {"idTag": id_tag, "idTagInfo": {"status": status, **info}}


async def send(central, version: int, update: str, *entries: dict[str, Any]) -> str:
    payload = {"listVersion": version, "updateType": update, "localAuthorizationList": entries}
    return (await central.result("SendLocalList", payload))["status"]


async def version(central) -> int:
    return (await central.result("GetLocalListVersion", {}))["listVersion"]


async def test_a_list_is_kept_whole_and_changed(central, station):
    assert await version(central) == 0
    assert await send(central, 3, "Full", card("A"), card("B")) == "Accepted"
    change = [{"idTag": "a"}, card("B", "Blocked"), card("C")]
    assert await send(central, 4, "Differential", *change) == "Accepted"
    assert await version(central) == 4
    statuses = [station.local_list.status_of(tag) for tag in ("A", "b", "c")]
    assert statuses == [None, "Blocked", "Accepted"]
    assert await send(central, 1, "Full") == "Accepted"
    assert (await version(central), station.local_list.entries) == (1, {})


async def test_it_refuses_what_it_cannot_take(central, station):
    await send(central, 5, "Full", card("A"))
    station.configuration.set("LocalAuthListMaxLength", "2")
    station.configuration.set("SendLocalListMaxLength", "2")
    assert await send(central, 5, "Differential", card("B")) == "VersionMismatch"
    assert await send(central, 6, "Differential", card("B"), card("C")) == "Failed"
    assert await send(central, 6, "Full", {"idTag": "B"}) == "Failed"
    station.configuration.set("LocalAuthListMaxLength", "9")
    assert await send(central, 6, "Full", card("B"), card("C"), card("D")) == "Failed"
    station.local_list.answer = "Failed"
    assert await send(central, 6, "Differential", card("B")) == "Failed"
    assert await version(central) == 5
    assert list(station.local_list.entries) == ["a"]


@pytest.mark.parametrize(
    ("key", "value"), [("SupportedFeatureProfiles", "Core"), ("LocalAuthListEnabled", "false")]
)
async def test_a_station_without_a_list_says_so(central, station, key, value):
    station.configuration.set(key, value)
    assert await version(central) == -1
    assert await send(central, 1, "Full", card("A")) == "NotSupported"


async def test_offline_it_decides_by_the_list(central, station):
    past, future = "2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z"
    await send(
        central,
        1,
        "Full",
        card("GOOD", expiryDate=future),
        card("OLD", expiryDate=past),
        card("BAD", "Blocked"),
    )
    await station.go_offline()
    statuses = [await station.authorize(tag) for tag in ("good", "OLD", "BAD", "NOBODY")]
    assert statuses == ["Accepted", "Expired", "Blocked", "Invalid"]
    station.configuration.set("LocalAuthorizeOffline", "false")
    assert await station.authorize("GOOD") == "Invalid"
