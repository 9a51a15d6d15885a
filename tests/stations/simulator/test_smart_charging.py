"""A virtual station keeps charging profiles as OCPP 1.6 §3.13 stacks them, and charges by them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from stations.simulator.outlet import AC_22
from stations.simulator.smart_charging import MAX, TX, TX_DEFAULT, Profile

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def content(
    purpose: str = TX_DEFAULT,
    *limits: tuple[int, float],
    id: int = 1,
    level: int = 0,
    unit: str = "W",
    kind: str = "Relative",
    schedule: dict[str, Any] | None = None,
    **fields: Any,
) -> dict[str, Any]:
    return {
        "chargingProfileId": id,
        "stackLevel": level,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": kind,
        **fields,
        "chargingSchedule": {
            "chargingRateUnit": unit,
            "chargingSchedulePeriod": [
                {"startPeriod": start, "limit": limit} for start, limit in limits
            ],
            **(schedule or {}),
        },
    }


@pytest.fixture
async def station(make_station):
    station = make_station(connectors=[AC_22, AC_22], clock=lambda: NOW)
    await station.start()
    return station


@pytest.fixture
async def charging(station):
    await station.plug(1)
    await station.tap("CARD-1", 1)
    return station


async def put(central, connector_id: int, profile: dict[str, Any]) -> str:
    answer = await central.result(
        "SetChargingProfile", {"connectorId": connector_id, "csChargingProfiles": profile}
    )
    return answer["status"]


async def composite(central, connector_id: int, duration: int = 3600, **fields: Any) -> list[Any]:
    answer = await central.result(
        "GetCompositeSchedule", {"connectorId": connector_id, "duration": duration, **fields}
    )
    periods = answer["chargingSchedule"]["chargingSchedulePeriod"]
    return [(period["startPeriod"], period["limit"]) for period in periods]


async def test_without_profiles_the_outlet_is_the_limit(central, station):
    assert await composite(central, 1) == [(0, 22_000)]
    assert await composite(central, 0) == [(0, 44_000)]


async def test_the_highest_level_leads_and_falls_back_where_it_says_nothing(central, charging):
    assert await put(central, 1, content(TX_DEFAULT, (0, 11_000))) == "Accepted"
    short = content(TX_DEFAULT, (0, 4_000), id=2, level=3, schedule={"duration": 600})
    assert await put(central, 1, short) == "Accepted"
    assert await composite(central, 1) == [(0, 4_000), (600, 11_000)]


async def test_a_tx_profile_outdoes_the_default_and_the_maximum_bounds_both(central, charging):
    tx = charging.outlets[1].tx.transaction_id
    assert await put(central, 0, content(TX_DEFAULT, (0, 6_000))) == "Accepted"
    own = content(TX, (0, 9_000), (1800, 15_000), id=2, transactionId=tx)
    assert await put(central, 1, own) == "Accepted"
    most = content(MAX, (0, 12_000), id=3, kind="Absolute")
    assert await put(central, 0, most) == "Accepted"
    assert await composite(central, 1) == [(0, 9_000), (1800, 12_000)]
    assert await composite(central, 0) == [(0, 12_000)]


async def test_a_default_of_the_outlet_outdoes_that_of_the_station(central, station):
    await put(central, 0, content(TX_DEFAULT, (0, 6_000), level=5))
    await put(central, 2, content(TX_DEFAULT, (0, 8_000), id=2))
    assert await composite(central, 1) == [(0, 6_000)]
    assert await composite(central, 2) == [(0, 8_000)]


async def test_ampere_count_for_each_phase(central, station):
    await put(central, 1, content(TX_DEFAULT, (0, 16), unit="A"))
    assert await composite(central, 1) == [(0, 11_040)]
    assert await composite(central, 1, chargingRateUnit="A") == [(0, 16)]


async def test_a_daily_profile_comes_back_each_day(central, station):
    night = content(
        TX_DEFAULT,
        (0, 3_000),
        (6 * 3600, 11_000),
        kind="Recurring",
        recurrencyKind="Daily",
        schedule={"startSchedule": "2026-02-20T22:00:00Z"},
    )
    assert await put(central, 0, night) == "Accepted"
    assert await composite(central, 1, 24 * 3600) == [
        (0, 11_000),
        (10 * 3600, 3_000),
        (16 * 3600, 11_000),
    ]


def test_a_profile_holds_while_it_is_valid() -> None:
    profile = Profile(
        1,
        content(
            TX_DEFAULT,
            (0, 5_000),
            validFrom="2026-03-02T12:00:00Z",
            validTo="2026-03-02T13:00:00Z",
        ),
    )
    for minutes, holds in ((-1, False), (0, True), (59, True), (60, False)):
        at = NOW + timedelta(minutes=minutes)
        assert (profile.period_at(at, NOW - timedelta(hours=1)) is not None) is holds


async def test_the_same_id_or_place_replaces(central, station):
    await put(central, 1, content(TX_DEFAULT, (0, 5_000), id=1))
    await put(central, 1, content(TX_DEFAULT, (0, 6_000), id=2))
    await put(central, 2, content(TX_DEFAULT, (0, 7_000), id=2))
    [kept] = station.smart_charging.profiles
    assert (kept.id, kept.connector_id) == (2, 2)


@pytest.mark.parametrize(
    ("criteria", "left"),
    [
        ({"id": 1}, {2, 3}),
        ({"connectorId": 1}, {3}),
        ({"chargingProfilePurpose": TX_DEFAULT, "stackLevel": 1}, {1, 3}),
        ({}, set()),
    ],
)
async def test_clearing_takes_what_matches_everything_given(central, station, criteria, left):
    await put(central, 1, content(TX_DEFAULT, (0, 5_000), id=1))
    await put(central, 1, content(TX_DEFAULT, (0, 5_000), id=2, level=1))
    await put(central, 0, content(MAX, (0, 5_000), id=3, kind="Absolute"))
    assert (await central.result("ClearChargingProfile", criteria))["status"] == "Accepted"
    assert {profile.id for profile in station.smart_charging.profiles} == left
    assert (await central.result("ClearChargingProfile", {"id": 1}))["status"] == (
        "Accepted" if 1 in left else "Unknown"
    )


@pytest.mark.parametrize(
    ("connector_id", "profile"),
    [
        (9, content(TX_DEFAULT, (0, 1))),
        (1, content(MAX, (0, 1), kind="Absolute")),
        (0, content(MAX, (0, 1))),
        (1, content(TX, (0, 1))),
        (1, content(TX_DEFAULT, (0, 1), level=99)),
    ],
)
async def test_what_cannot_be_kept_is_rejected(central, station, connector_id, profile):
    assert await put(central, connector_id, profile) == "Rejected"
    assert station.smart_charging.profiles == []


async def test_a_profile_without_a_first_period_is_an_error(central, station):
    reply = await central.command(
        "SetChargingProfile",
        {"connectorId": 1, "csChargingProfiles": content(TX_DEFAULT, (10, 1))},
    )
    assert reply[0] == 4


async def test_power_follows_the_limit_and_a_limit_of_nothing_pauses(central, charging):
    outlet = charging.outlets[1]
    await charging.wait_until(lambda s: outlet.power_w > 10_000)
    await put(central, 1, content(TX_DEFAULT, (0, 3_000)))
    await charging.wait_until(lambda s: 0 < outlet.power_w <= 3_000)
    await put(central, 1, content(TX_DEFAULT, (0, 0)))
    await charging.wait_until(lambda s: outlet.status == "SuspendedEVSE" and outlet.power_w == 0)
    await central.result("ClearChargingProfile", {})
    await charging.wait_until(lambda s: outlet.status == "Charging" and outlet.power_w > 10_000)


async def test_two_cars_share_what_the_station_may_draw(central, charging):
    await charging.plug(2)
    await charging.tap("CARD-2", 2)
    await put(central, 0, content(MAX, (0, 8_000), kind="Absolute"))
    outlets = charging.outlets.values()
    await charging.wait_until(lambda s: all(0 < o.power_w <= 4_000 for o in outlets))


async def test_a_profile_that_comes_with_a_start_is_the_transactions(central, station):
    await station.plug(1)
    await central.result(
        "RemoteStartTransaction",
        {"idTag": "APP-1", "connectorId": 1, "chargingProfile": content(TX, (0, 2_000))},
    )
    outlet = station.outlets[1]
    await station.wait_until(lambda s: outlet.tx is not None and 0 < outlet.power_w <= 2_000)
    await station.stop(1)
    assert station.smart_charging.profiles == []
