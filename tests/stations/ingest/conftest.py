"""A writer of the test's own on the test database, and committed tenants."""

from collections.abc import AsyncIterator
from uuid import uuid4

import psycopg
import pytest

from accounts.models import Operator
from stations.ingest.writer import Writer
from stations.models import ChargingStation
from tests.server import test_database_url
from tests.stations.ocpp.conftest import in_db


def pytest_itemcollected(item: pytest.Item) -> None:
    """Who needs the writer needs a test database."""
    if {"writer", "station"} & set(getattr(item, "fixturenames", ())):
        item.add_marker(pytest.mark.django_db)


@pytest.fixture
async def writer(django_db_setup: None) -> AsyncIterator[Writer]:
    """Started, and stopped after the test. `changes` collects what it tells of."""
    address = test_database_url()

    async def connect() -> psycopg.AsyncConnection:
        return await psycopg.AsyncConnection.connect(address, autocommit=True)

    changes: list[set[int]] = []
    writer = Writer(connect, changes.append)
    writer.changes = changes  # type: ignore[attr-defined]
    await writer.start()
    yield writer
    await writer.stop()


@pytest.fixture
async def station(django_db_setup: None) -> ChargingStation:
    """A committed station of a committed operator."""

    def make() -> ChargingStation:
        operator = Operator.objects.create(slug=f"w-{uuid4().hex[:12]}", name="Writer's")
        return ChargingStation.objects.create(operator=operator, identity=f"W{uuid4().hex[:12]}")

    return await in_db(make)
