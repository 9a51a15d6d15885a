"""A running server and committed tenants: the hot path's own connection cannot see an open test transaction."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any, TypeVar
from uuid import uuid4

import pytest
from django.db import connection

from accounts.models import IdToken, Operator
from stations.models import ChargingStation, QuarantinedFact
from stations.services.passwords import hash_password
from stations.simulator.client import RawClient
from tests.server import ServerProcess, running_server

T = TypeVar("T")
_numbers = count(1)

PASSWORD = "a-password-of-20-chr"


def pytest_itemcollected(item: pytest.Item) -> None:
    """Whoever needs the server needs a test database, which pytest-django makes for marked tests only."""
    if "ocpp_server" in getattr(item, "fixturenames", ()):
        item.add_marker(pytest.mark.django_db)


@pytest.fixture(scope="session")
def ocpp_server(django_db_setup: None) -> Iterator[ServerProcess]:
    """One server for all tests of this directory."""
    with running_server() as server:
        yield server


@dataclass(frozen=True)
class Tenant:
    """A committed operator with one accepted token, and a maker of stations."""

    operator: Operator
    id_token: IdToken

    def make_station(self, **fields: Any) -> ChargingStation:
        """A committed station of profile 1 whose password is PASSWORD."""
        defaults: dict[str, Any] = {
            "identity": f"T{uuid4().hex[:12]}",
            "security_profile": 1,
            "password_hash": hash_password(PASSWORD.encode()),
        }
        return ChargingStation.objects.create(operator=self.operator, **(defaults | fields))

    def make_id_token(self, uid: str, **fields: Any) -> IdToken:
        """A committed token."""
        return IdToken.objects.create(operator=self.operator, uid=uid, **fields)


@pytest.fixture
async def tenant(ocpp_server: ServerProcess) -> AsyncIterator[Tenant]:
    """A tenant of this test's own, left behind. Whatever its stations sent found its place."""

    def make() -> Tenant:
        operator = Operator.objects.create(slug=f"t-{uuid4().hex[:12]}", name="Test operator")
        uid = f"TAG{next(_numbers)}"
        return Tenant(operator, IdToken.objects.create(operator=operator, uid=uid))

    tenant = await in_db(make)
    yield tenant
    stranded = QuarantinedFact.objects.filter(station__operator=tenant.operator)
    assert await in_db(lambda: list(stranded.values_list("action", "error"))) == []


async def in_db(function: Callable[[], T]) -> T:
    """Run ORM code from an async test, in a thread whose connection is closed after."""

    def run() -> T:
        try:
            return function()
        finally:
            connection.close()

    return await asyncio.to_thread(run)


async def eventually(function: Callable[[], T], *, timeout_s: float = 10) -> T:
    """Await a condition on the database; returns its first true value."""
    async with asyncio.timeout(timeout_s):
        while not (value := await in_db(function)):
            await asyncio.sleep(0.05)
        return value


class Station:
    """A charger under a test's full control: it sends what it is told, word for word."""

    def __init__(self, client: RawClient, row: ChargingStation) -> None:
        self.client = client
        self.row = row
        self._ids = count(1)

    async def call(
        self, action: str, payload: dict[str, Any] | None, message_id: str | None = None
    ) -> list[Any]:
        """Send a call and return the answering frame; skips frames that answer nothing of ours."""
        message_id = message_id or f"m{next(self._ids)}"
        await self.client.send(json.dumps([2, message_id, action, payload]))
        while True:
            frame = json.loads(await self.client.receive(10))
            if frame[0] in (3, 4) and frame[1] == message_id:
                return list(frame)

    async def result(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        """The payload of a call's result. Fails the test on a CALLERROR."""
        frame = await self.call(action, payload)
        assert frame[0] == 3, frame
        return dict(frame[2])

    async def expect_call(self, action: str) -> list[Any]:
        """The next call of the server, which must be of this action."""
        frame = json.loads(await self.client.receive(10))
        assert (frame[0], frame[2]) == (2, action), frame
        return list(frame)

    async def answer(self, call: list[Any], payload: dict[str, Any]) -> None:
        """Answer a call of the server."""
        await self.client.send(json.dumps([3, call[1], payload]))

    async def is_heard(self) -> bool:
        """Whether the next Heartbeat is answered."""
        frame = await self.call("Heartbeat", {})
        return frame[0] == 3


@pytest.fixture
def connect(ocpp_server: ServerProcess) -> Callable[..., Any]:
    """`async with connect(row) as station:` an open socket of that station."""

    @asynccontextmanager
    async def open_station(
        row: ChargingStation, *, boot: bool = False, server: ServerProcess | None = None
    ) -> AsyncIterator[Station]:
        url = (server or ocpp_server).ocpp_url
        client = await RawClient.open(url, row.identity, password=PASSWORD)
        station = Station(client, row)
        try:
            if boot:
                await station.result(
                    "BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"}
                )
            yield station
        finally:
            await client.close()

    return open_station
