"""A virtual station keeps an outlet free for one card, until it comes, is called off, or its time is over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from stations.simulator.outlet import AC_22


@pytest.fixture
async def station(make_station):
    station = make_station(connectors=[AC_22, AC_22])
    await station.start()
    return station


def asked(connector_id: int = 1, id_tag: str = "MINE", **fields: Any) -> dict[str, Any]:
    expiry = datetime.now(UTC) + timedelta(minutes=10)
    return {
        "connectorId": connector_id,
        "idTag": id_tag,
        "expiryDate": expiry.isoformat(),
        "reservationId": 7,
        **fields,
    }


async def reserve(central, *args: Any, **fields: Any) -> str:
    return (await central.result("ReserveNow", asked(*args, **fields)))["status"]


async def cancel(central, reservation_id: int = 7) -> str:
    answer = await central.result("CancelReservation", {"reservationId": reservation_id})
    return answer["status"]


async def shows(central, connector_id: int, status: str) -> None:
    """Waits until the outlet has reported it."""
    await central.wait_for(lambda: central.statuses(connector_id)[-1] == status)


async def test_it_says_reserved_and_only_the_card_it_is_kept_for_may_start(central, station):
    assert await reserve(central) == "Accepted"
    await shows(central, 1, "Reserved")
    await station.plug(1)
    assert await station.tap("OTHER", 1) == "Reserved"
    assert station.outlet(1).tx is None
    assert await station.tap("mine", 1) == "Accepted"
    [start] = central.payloads("StartTransaction")
    assert start["reservationId"] == 7
    assert station.reservations.held == {}
    await station.stop(1)
    await station.unplug(1)
    await shows(central, 1, "Available")


async def test_a_start_elsewhere_carries_no_reservation(central, station):
    await reserve(central)
    await station.plug(2)
    assert await station.tap("MINE", 2) == "Accepted"
    assert "reservationId" not in central.payloads("StartTransaction")[0]
    assert 7 in station.reservations.held


async def test_a_remote_start_for_another_card_finds_no_outlet(central, station):
    await reserve(central)
    payload = {"connectorId": 1, "idTag": "OTHER"}
    assert await central.result("RemoteStartTransaction", payload) == {"status": "Rejected"}
    payload["idTag"] = "MINE"
    assert await central.result("RemoteStartTransaction", payload) == {"status": "Accepted"}


async def test_it_ends_at_its_time(central, station):
    moment = datetime.now(UTC) + timedelta(milliseconds=300)
    assert await reserve(central, expiryDate=moment.isoformat()) == "Accepted"
    await shows(central, 1, "Reserved")
    await shows(central, 1, "Available")
    assert station.reservations.held == {}
    assert await cancel(central) == "Rejected"


async def test_it_can_be_called_off_once(central, station):
    await reserve(central)
    await shows(central, 1, "Reserved")
    assert await cancel(central, 8) == "Rejected"
    assert await cancel(central) == "Accepted"
    await shows(central, 1, "Available")
    assert await cancel(central) == "Rejected"


async def test_the_same_number_moves_it(central, station):
    await reserve(central, 1)
    assert await reserve(central, 2, "OTHER") == "Accepted"
    await shows(central, 1, "Available")
    await shows(central, 2, "Reserved")
    assert await reserve(central, 2, "THIRD", reservationId=8) == "Occupied"


async def test_the_whole_station_keeps_one_outlet_free(central, station):
    assert await reserve(central, 0) == "Accepted"
    await station.plug(2)
    assert await station.tap("OTHER", 2) == "Accepted"
    await station.plug(1)
    assert await station.tap("OTHER-2", 1) == "Reserved"
    assert await station.tap("MINE", 1) == "Accepted"
    assert central.payloads("StartTransaction")[-1]["reservationId"] == 7


async def test_it_says_why_it_cannot(central, station, make_station):
    past = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
    assert await reserve(central, expiryDate=past) == "Rejected"
    assert await reserve(central, 3) == "Rejected"
    await station.plug(1)
    assert await reserve(central, 1) == "Occupied"
    await station.outlet(2).fault("GroundFailure")
    assert await reserve(central, 2) == "Faulted"
    await station.outlet(2).clear_fault()
    await station.outlet(2).set_operative(False)
    assert await reserve(central, 2) == "Unavailable"
    assert await reserve(central, 0) == "Occupied"
    station.reservations.answer = "Rejected"
    await station.unplug(1)
    assert await reserve(central, 1) == "Rejected"
    assert station.reservations.held == {}


async def test_a_reserved_outlet_that_was_broken_is_reserved_again(central, station):
    await reserve(central)
    await station.outlet(1).fault("GroundFailure")
    await station.outlet(1).clear_fault()
    await shows(central, 1, "Reserved")


async def test_a_station_without_reservations_refuses_them(central, make_station):
    station = make_station(configuration={"SupportedFeatureProfiles": "Core"})
    await station.start()
    assert await reserve(central) == "Rejected"
