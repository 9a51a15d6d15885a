"""A driver with a past and a present, another one, and an outlet where one can charge."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import Driver, IdToken, Operator
from accounts.services.actors import Actor
from accounts.services.drivers import driver_of, ensure_app_token
from accounts.services.id_tokens import create_id_token
from billing.models import ChargingSession
from cms.base.time import utc_now
from cms.drivers.places import Outlet, outlet_of
from stations.choices import CommandStatus
from stations.models import ChargingStation, Command, Connector, Transaction, TransactionProgress
from tests.billing.factories import (
    assign,
    component,
    hours_ago,
    make_ended,
    make_reading,
    make_tariff,
    tell,
)
from tests.factories import (
    make_command,
    make_connector,
    make_connector_status,
    make_gateway,
    make_id_token,
    make_location,
    make_operator,
    make_state,
    make_station,
    make_transaction,
    make_user,
    unique,
)


@dataclass(frozen=True)
class Site:
    """One station with a 22 kW connector on EVSE 1, online and free unless told."""

    operator: Operator
    station: ChargingStation
    connector: Connector

    @property
    def outlet(self) -> Outlet:
        return outlet_of(self.connector)

    @property
    def page(self) -> str:
        return f"/c/{self.outlet.code}"

    @property
    def start(self) -> str:
        return f"{self.page}/start/"


def make_site(*, status: str = "Available", online: bool = True, priced: bool = True) -> Site:
    """0.49 per kWh and 6.00 an hour of parking, plus 19 % VAT."""
    operator = make_operator(time_zone="Europe/Berlin", name="Sparks & Sons")
    if priced:
        prices = component("ENERGY", "0.49", vat="19"), component("PARKING_TIME", "6", vat="19")
        assign(make_tariff(operator, *prices), created_at=hours_ago(48))
    location = make_location(
        operator, city="Berlin", address="Alexanderplatz 1", time_zone="Europe/Berlin"
    )
    station = make_station(operator, location=location)
    make_state(station, gateway=make_gateway() if online else None)
    connector = make_connector(
        station, standard="IEC_62196_T2", power_type="AC_3_PHASE", max_power_w=22_000
    )
    make_connector_status(station, status=status)
    return Site(operator, station, connector)


@pytest.fixture
def site(db: None) -> Site:
    return make_site()


@pytest.fixture
def driver(db: None) -> Driver:
    return driver_of(make_user(name="Alice"))


@pytest.fixture
def other_driver(db: None) -> Driver:
    return driver_of(make_user(name="Mallory"))


def browser_of(driver: Driver) -> Client:
    assert driver.user is not None
    client = Client()
    client.force_login(driver.user)
    return client


@pytest.fixture
def browser(driver: Driver) -> Client:
    """The driver's."""
    return browser_of(driver)


@pytest.fixture
def other_browser(other_driver: Driver) -> Client:
    return browser_of(other_driver)


def app_token(driver: Driver, site: Site) -> IdToken:
    return ensure_app_token(driver=driver, operator=site.operator)


def give_card(site: Site, email: str) -> IdToken:
    """An operator hands out a card, knowing nothing of its owner but an address."""
    return create_id_token(
        acting=Actor.system(site.operator), uid=unique("CARD"), driver_email=email
    )


def make_running(
    driver: Driver, site: Site, *, energy_wh: int = 4_200, power_w: int = 11_000
) -> Transaction:
    """The driver's car has been charging here for half an hour."""
    tx = make_transaction(
        site.station,
        id_token=app_token(driver, site),
        started_at=timezone.now() - timedelta(minutes=30),
        meter_start_wh=1_000,
    )
    at = timezone.now() - timedelta(seconds=20)
    make_reading(tx, at, 1_000 + energy_wh)
    TransactionProgress.objects.create(
        transaction=tx, at=at, register_wh=1_000 + energy_wh, power_w=power_w, soc_percent=57
    )
    tell("transaction.started", tx)
    return tx


def make_billed(driver: Driver, site: Site, *, energy_wh: int = 12_345) -> ChargingSession:
    """A session of an hour, with its CDR."""
    tx = make_ended(site.station, energy_wh=energy_wh, id_token=app_token(driver, site))
    make_reading(tx, tx.ended_at - timedelta(minutes=12), tx.meter_stop_wh)
    tell("transaction.ended", tx)
    session = ChargingSession.objects.get(transaction=tx)
    assert session.cdrs.exists(), tx.review_reasons
    return session


def answer(command: Command, status: CommandStatus) -> None:
    """What the station says to a command."""
    Command.objects.filter(pk=command.pk).update(status=status, finished_at=utc_now())


@dataclass(frozen=True)
class Things:
    """One of everything that belongs to a driver alone."""

    site: Site
    running: ChargingSession
    billed: ChargingSession
    start: Command
    card: IdToken

    @property
    def paths(self) -> list[str]:
        return [
            f"/me/sessions/{self.running.pk}/",
            f"/me/sessions/{self.running.pk}/stop/",
            f"/me/sessions/{self.billed.pk}/",
            f"/me/sessions/{self.billed.pk}/receipt.pdf",
            f"/me/starts/{self.start.pk}/",
            f"/me/cards/{self.card.pk}/block/",
        ]


@pytest.fixture
def things(driver: Driver) -> Things:
    site = make_site(status="Charging")
    billed = make_billed(driver, site)
    running = ChargingSession.objects.get(transaction=make_running(driver, site))
    elsewhere = make_site()
    start = make_command(
        elsewhere.station,
        action="RemoteStartTransaction",
        payload={"connectorId": 1, "idTag": app_token(driver, elsewhere).uid},
        created_by=driver.user,
    )
    card = make_id_token(site.operator, driver=driver)
    return Things(site, running, billed, start, card)


Told = Callable[[str], str]
