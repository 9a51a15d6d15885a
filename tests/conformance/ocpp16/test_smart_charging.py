"""Smart charging: TC_056, 057, 059, 066, 067 of OCPP 1.6, and what a station says against it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.conformance.messages import at, start_of, stop_of
from tests.conformance.site import Registered, Site, until
from tests.conformance.wire import WireStation

Profile = dict[str, Any]


def schedule(**fields: Any) -> Profile:
    """In OCPP 2.0.1's words."""
    return {
        "id": 1,
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": [
            {"startPeriod": 0, "limit": 16.5, "numberPhases": 3},
            {"startPeriod": 1800, "limit": 6},
        ],
        **fields,
    }


def profile(purpose: str, **fields: Any) -> Profile:
    return {
        "stackLevel": 0,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Relative",
        "chargingSchedule": [schedule()],
        **fields,
    }


def tx_default() -> Profile:
    """Absolute, from this midnight on, for a day."""
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return profile(
        "TxDefaultProfile",
        chargingProfileKind="Absolute",
        validFrom=at(midnight),
        validTo=at(midnight + timedelta(days=2)),
        chargingSchedule=[schedule(startSchedule=at(midnight), duration=86400)],
    )


async def charging(site: Site, wire: WireStation, station: Registered) -> int:
    """The id of a transaction that runs at connector 1."""
    tag = await site.make_id_token()
    answer = await wire.call("StartTransaction", start_of(tag))
    await wire.status(1, "Charging")
    return int(answer["transactionId"])


async def install(site: Site, station: Registered, body: Profile) -> Profile:
    row: Profile = await site.rest.post(f"{station.path}charging-profiles/", body)
    assert row["status"] == "requested"
    return row


async def settled(site: Site, station: Registered, row: Profile, status: str) -> Profile:
    """The row once it has this status."""
    path = f"{station.path}charging-profiles/{row['id']}/"

    async def find() -> Profile | None:
        now: Profile = await site.rest.get(path)
        return now if now["status"] == status else None

    found = await until(find)
    assert found is not None
    return found


async def listed(site: Site, station: Registered) -> list[str]:
    rows = await site.rest.rows(f"{station.path}charging-profiles/?status=installed")
    return [row["id"] for row in rows]


async def test_tc_056_tx_default_profile(site: Site) -> None:
    station = await site.make_station()
    library = await site.rest.post(
        "/charging-profiles/", {"name": "Evenings", "profile": tx_default()}
    )
    async with site.connect(station) as wire:
        row = await install(site, station, {"profile": library["id"], "evse_id": 1})
        sent = await wire.take("SetChargingProfile")
        assert sent["connectorId"] == 1
        asked = sent["csChargingProfiles"]
        assert asked["chargingProfilePurpose"] == "TxDefaultProfile"
        assert "transactionId" not in asked
        assert asked["chargingProfileId"] == row["profile_id"]
        periods = asked["chargingSchedule"]["chargingSchedulePeriod"]
        assert periods == schedule()["chargingSchedulePeriod"]
        assert asked["chargingSchedule"]["duration"] == 86400
        await settled(site, station, row, "installed")
        assert await listed(site, station) == [row["id"]]


async def test_tc_057_tx_profile(site: Site) -> None:
    station = await site.make_station()
    async with site.connect(station) as wire:
        tx_id = await charging(site, wire, station)
        tx = await site.transaction(tx_id, station)
        row = await install(
            site, station, {"profile": profile("TxProfile"), "transaction": tx["id"]}
        )
        sent = await wire.take("SetChargingProfile")
        assert (sent["connectorId"], sent["csChargingProfiles"]["transactionId"]) == (1, tx_id)
        assert sent["csChargingProfiles"]["chargingProfilePurpose"] == "TxProfile"
        await settled(site, station, row, "installed")
        await wire.call("StopTransaction", stop_of(tx_id))
        ended = await settled(site, station, row, "cleared")
    assert ended["reason"] == "TransactionEnded"


async def test_tc_059_remote_start_with_a_profile(site: Site) -> None:
    station, tag = await site.make_station(), await site.make_id_token()
    async with site.connect(station) as wire:
        await wire.status(1, "Preparing")
        command = await site.rest.post(
            f"{station.path}start/",
            {"id_token": tag, "evse_id": 1, "limit": {"power_w": 7400}},
            status=202,
        )
        sent = await wire.take("RemoteStartTransaction")
        asked = sent["chargingProfile"]
        assert (sent["idTag"], sent["connectorId"]) == (tag, 1)
        assert asked["chargingProfilePurpose"] == "TxProfile"
        assert "transactionId" not in asked
        assert asked["chargingSchedule"]["chargingSchedulePeriod"] == [
            {"startPeriod": 0, "limit": 7400}
        ]
        assert (await site.ended(command))["status"] == "accepted"
        answer = await wire.call("StartTransaction", start_of(tag))
        await wire.status(1, "Charging")
        tx = await site.transaction(answer["transactionId"], station)

        async def installed() -> list[str]:
            return await listed(site, station)

        [row_id] = await until(installed)
        row = await site.rest.get(f"{station.path}charging-profiles/{row_id}/")
    assert (row["transaction"], row["evse_id"]) == (tx["id"], 1)
    assert row["profile_id"] == asked["chargingProfileId"]


@pytest.mark.parametrize(
    "answer",
    [
        {
            "status": "Accepted",
            "connectorId": 1,
            "scheduleStart": "2026-03-01T12:00:00Z",
            "chargingSchedule": {
                "duration": 3600,
                "chargingRateUnit": "W",
                "chargingSchedulePeriod": [
                    {"startPeriod": 0, "limit": 16.5},
                    {"startPeriod": 1800, "limit": 0},
                ],
                "minChargingRate": 6,
            },
        },
        {"status": "Rejected"},
    ],
)
async def test_tc_066_get_composite_schedule(site: Site, answer: Profile) -> None:
    station = await site.make_station()
    asked = {"connectorId": 1, "duration": 3600, "chargingRateUnit": "W"}
    async with site.connect(station) as wire:
        command = await site.ask(station, "GetCompositeSchedule", **asked)
        assert await wire.take("GetCompositeSchedule", answer) == asked
        done = await site.ended(command)
    assert done["response"] == answer
    assert done["status"] == answer["status"].lower()


async def test_tc_067_clear_by_id(site: Site) -> None:
    station = await site.make_station()
    async with site.connect(station) as wire:
        row = await install(site, station, {"profile": profile("TxDefaultProfile"), "evse_id": 1})
        await wire.take("SetChargingProfile")
        await settled(site, station, row, "installed")
        path = f"{station.path}charging-profiles/{row['id']}/"
        command = await site.rest.send("DELETE", path, status=202)
        assert await wire.take("ClearChargingProfile") == {"id": row["profile_id"]}
        assert (await site.ended(command))["status"] == "accepted"
        await settled(site, station, row, "cleared")
        assert await listed(site, station) == []


async def test_tc_067_clear_by_connector_purpose_and_level(site: Site) -> None:
    station = await site.make_station()
    criteria = {
        "connectorId": 1,
        "chargingProfilePurpose": "TxDefaultProfile",
        "stackLevel": 0,
    }
    async with site.connect(station) as wire:
        rows = []
        for evse_id in (1, 2):
            row = await install(
                site, station, {"profile": profile("TxDefaultProfile"), "evse_id": evse_id}
            )
            await wire.take("SetChargingProfile")
            rows.append(await settled(site, station, row, "installed"))
        command = await site.ask(station, "ClearChargingProfile", **criteria)
        assert await wire.take("ClearChargingProfile") == criteria
        assert (await site.ended(command))["status"] == "accepted"
        await settled(site, station, rows[0], "cleared")
        assert await listed(site, station) == [rows[1]["id"]]


async def test_tc_067_a_station_that_knows_no_such_profile_is_believed(site: Site) -> None:
    station = await site.make_station()
    async with site.connect(station) as wire:
        row = await install(site, station, {"profile": profile("TxDefaultProfile"), "evse_id": 1})
        await wire.take("SetChargingProfile")
        await settled(site, station, row, "installed")
        command = await site.ask(station, "ClearChargingProfile", id=row["profile_id"])
        await wire.take("ClearChargingProfile", {"status": "Unknown"})
        done = await site.ended(command)
        assert (done["status"], done["response"]) == ("rejected", {"status": "Unknown"})
        assert (await settled(site, station, row, "cleared"))["reason"] == "NotFound"


@pytest.mark.parametrize("said", ["Rejected", "NotSupported"])
async def test_a_profile_that_is_refused_is_not_listed(site: Site, said: str) -> None:
    station = await site.make_station()
    async with site.connect(station) as wire:
        row = await install(site, station, {"profile": profile("TxDefaultProfile"), "evse_id": 1})
        await wire.take("SetChargingProfile", {"status": said})
        assert (await settled(site, station, row, "rejected"))["reason"] == said
        assert await site.rest.rows(f"{station.path}charging-profiles/") == []


async def test_a_maximum_waits_for_a_station_that_is_offline(site: Site) -> None:
    station = await site.make_station()
    async with site.connect(station):
        pass
    most = profile(
        "ChargingStationMaxProfile",
        chargingProfileKind="Absolute",
        chargingSchedule=[
            schedule(chargingSchedulePeriod=[{"startPeriod": 0, "limit": 32}]),
        ],
    )
    row = await install(site, station, {"profile": most})
    async with site.connect(station) as wire:
        sent = await wire.take("SetChargingProfile")
        assert sent["connectorId"] == 0
        assert sent["csChargingProfiles"]["chargingProfilePurpose"] == "ChargePointMaxProfile"
        await settled(site, station, row, "installed")
