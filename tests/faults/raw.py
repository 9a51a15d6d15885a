"""Stations that a fault test leads by the hand, word for word."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from stations.models import ChargingStation
from stations.simulator.client import RawClient
from tests.faults.site import PASSWORD
from tests.server import ServerProcess
from tests.stations.ocpp.conftest import Station

_ticks = count(1)


@asynccontextmanager
async def socket_of(
    row: ChargingStation, server: ServerProcess, *, boot: bool = True
) -> AsyncIterator[Station]:
    """An open socket of that station; cut, not closed, at the end."""
    client = await RawClient.open(server.ocpp_url, row.identity, password=PASSWORD)
    station = Station(client, row)
    try:
        if boot:
            await station.result(
                "BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"}
            )
        yield station
    finally:
        client.abort()


def now_text() -> str:
    """The time in milliseconds; never the same twice."""
    at = datetime.now(UTC) + timedelta(milliseconds=next(_ticks) % 1000)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def start(id_tag: str, **fields: Any) -> dict[str, Any]:
    """A StartTransaction's payload, another one at each call."""
    return {
        "connectorId": 1,
        "idTag": id_tag,
        "meterStart": 1000,
        "timestamp": now_text(),
        **fields,
    }


def stop(transaction_id: int, **fields: Any) -> dict[str, Any]:
    return {
        "transactionId": transaction_id,
        "meterStop": 2000,
        "timestamp": now_text(),
        **fields,
    }


def reading(transaction_id: int, wh: int = 1500) -> dict[str, Any]:
    value = {"timestamp": now_text(), "sampledValue": [{"value": str(wh)}]}
    return {"connectorId": 1, "transactionId": transaction_id, "meterValue": [value]}


def frame(message_id: str, action: str, payload: dict[str, Any]) -> str:
    return json.dumps([2, message_id, action, payload])


async def answer_to(station: Station, message_id: str) -> list[Any]:
    """The answer to a frame sent by hand; skips what else comes."""
    while True:
        answer = json.loads(await station.client.receive(10))
        if answer[1] == message_id:
            return list(answer)
