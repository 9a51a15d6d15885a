"""The whole way against a running server and a virtual station: start, plug, charge, stop, bill."""

import asyncio
import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import Driver
from accounts.services.drivers import driver_of
from billing.models import CDR, ChargingSession
from billing.sessions.services import settle_session
from cms.base.time import utc_now
from stations.models import ChargingStation, Connector, ConnectorStatus
from stations.services.connector_codes import ensure_connector_code
from stations.simulator import Vehicle, VirtualStation
from tests.billing.factories import assign, component, make_tariff
from tests.factories import make_user
from tests.server import ServerProcess
from tests.stations.ocpp.conftest import (  # noqa: F401 - two are fixtures
    PASSWORD,
    Tenant,
    eventually,
    in_db,
    ocpp_server,
    tenant,
)

pytestmark = pytest.mark.django_db


async def test_a_driver_charges_with_a_telephone_and_gets_the_bill(
    ocpp_server: ServerProcess,  # noqa: F811
    tenant: Tenant,  # noqa: F811
) -> None:
    row = await in_db(lambda: priced_station(tenant))
    browser, driver = await in_db(signed_in)
    station = VirtualStation(
        ocpp_server.ocpp_url,
        row.identity,
        password=PASSWORD,
        seed=1,
        configuration={"MeterValueSampleInterval": "1"},
    )
    async with station:
        connector = await eventually(lambda: free_connector(row.pk))
        code = await in_db(lambda: ensure_connector_code(connector))

        # Three presses at the same moment, one start.
        presses = [in_db(lambda: pressed(driver, f"/c/{code}/start/")) for _ in range(3)]
        (waiting,) = set(await asyncio.gather(*presses))
        assert re.fullmatch(r"/me/starts/\d+/", waiting)
        await eventually(lambda: "Plug in now" in browser.get(waiting).content.decode())
        await station.outlets[1].plug(Vehicle())

        session = await eventually(lambda: led_on(browser, waiting))
        live = await eventually(lambda: flowing(browser, session))
        assert "Stop charging" in live
        assert await in_db(lambda: browser.post(f"{session}stop/").status_code) == 302
        await station.wait_until(lambda s: s.outlets[1].tx is None, 10)
        await eventually(lambda: settled(session))
        receipt = await eventually(lambda: billed(browser, session))

    cdr = await in_db(lambda: CDR.objects.get(session__driver=driver))
    assert cdr.number in receipt
    assert cdr.energy_wh > 0
    assert f"€{cdr.gross_minor / 100:.2f}" in receipt
    pdf = await in_db(lambda: browser.get(f"{session}receipt.pdf"))
    assert pdf.content.startswith(b"%PDF")


def priced_station(at: Tenant) -> ChargingStation:
    tariff = make_tariff(at.operator, component("ENERGY", "0.49", vat="19"))
    assign(tariff, created_at=timezone.now() - timedelta(days=1))
    return at.make_station()


def signed_in() -> tuple[Client, Driver]:
    user = make_user(name="Alice")
    browser = Client()
    browser.force_login(user)
    return browser, driver_of(user)


def pressed(driver: Driver, path: str) -> str:
    """Where the button leads, in a browser of its own."""
    assert driver.user is not None
    browser = Client()
    browser.force_login(driver.user)
    return browser.post(path).headers["Location"]


def free_connector(station_id: int) -> Connector | None:
    free = ConnectorStatus.objects.filter(station_id=station_id, connector_id=1, status="Available")
    if not free.exists():
        return None
    return Connector.objects.filter(evse__station_id=station_id, connector_id=1).first()


def led_on(browser: Client, waiting: str) -> str:
    """The session's page, once the waiting one leads there."""
    return str(browser.get(waiting).headers.get("Location", ""))


def flowing(browser: Client, session: str) -> str:
    page = browser.get(session).content.decode()
    return "" if "<dd>0.00" in page else page


def settled(session: str) -> bool:
    """What the worker does; no worker runs here."""
    pk = int(session.rstrip("/").rsplit("/", 1)[1])
    tx = ChargingSession.objects.select_related("transaction").get(pk=pk).transaction
    if tx is None or tx.status != "ended":
        return False
    settle_session(transaction_id=tx.pk, now=utc_now())
    return True


def billed(browser: Client, session: str) -> str:
    page = browser.get(session).content.decode()
    return page if "Receipt for charging" in page else ""
