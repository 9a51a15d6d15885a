"""A whole installation for browsers: the demo, an operator with nothing, a server, a worker, chargers.

Everything is committed and left behind, but for the demo's fixed names: those are given up at the end,
so that other tests find none.
"""

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from io import StringIO
from pathlib import Path

from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.core.management import call_command
from django.db import connection
from django.db.models import F, Value
from django.db.models.functions import Concat
from django.test import Client, override_settings
from django.utils import timezone
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from accounts.choices import Role
from accounts.models import (
    ApiKey,
    AuditEntry,
    Driver,
    IdToken,
    IdTokenGroup,
    Membership,
    Operator,
    User,
)
from accounts.services.drivers import confirmation_token, register_driver
from billing.models import ChargingSession, TariffAssignment
from cms.base import outbox
from cms.drivers.cards import begin_claim
from cms.drivers.charging import start_charging
from cms.drivers.places import get_outlet
from stations.models import ChargingStation, Command, Connector, Gateway, Location
from stations.services.connector_codes import ensure_connector_code
from stations.simulator import VirtualStation
from stations.simulator.fleet import DEMO_TAGS, Member, demo_members
from tests.billing.factories import make_ended, tell
from tests.cms.portal.conftest import World, make_world
from tests.factories import (
    make_api_key,
    make_id_token_group,
    make_membership,
    make_operator,
    make_station,
    unique,
)
from tests.server import ServerProcess, running_server
from tests.stations.ocpp.conftest import eventually, in_db

_PAUSE_S = 0.05
DRIVER = "driver@demo.example"
_DEMO_LOGINS = ("operator@demo.example", DRIVER, "admin@demo.example")


@dataclass(frozen=True)
class DriverWorld:
    """What the demo's driver has, and what a stranger on the way to becoming one was sent by mail."""

    user: User
    location: Location
    codes: dict[str, str]
    card: IdToken
    billed: ChargingSession
    in_review: ChargingSession
    running: ChargingSession
    start: Command
    claim: AuditEntry
    confirmation: str
    password_reset: tuple[str, str]


@dataclass(frozen=True)
class TradeWorld:
    """What the demo's team has beside stations and sessions."""

    assignment: TariffAssignment
    group: IdTokenGroup
    member: Membership
    invitation: tuple[str, str]
    api_key: ApiKey


@dataclass(frozen=True)
class Site:
    """`demo` has a bit of everything; `empty` has a team and one station that never connected."""

    server: ServerProcess
    demo: Operator
    world: World
    empty: Operator
    bare_station: ChargingStation
    driver: DriverWorld
    trade: TradeWorld

    async def user_of(self, role: Role, operator: Operator | None = None) -> User:
        """A new member of the demo's team, or of another one."""
        return (await in_db(lambda: make_membership(operator or self.demo, role))).user

    def charger(self, identity: str, **options: object) -> VirtualStation:
        """A virtual charger, not switched on yet."""
        options = {"seed": 1, "reconnect_base_s": 0.1, "boot_retry_s": 0.1} | options
        return VirtualStation(self.server.ocpp_url, identity, **options)  # type: ignore[arg-type]


async def session_cookie(user: User) -> dict[str, str]:
    """What a browser holds in which this user is signed in."""

    def sign_in() -> str:
        client = Client()
        client.force_login(user)
        return client.cookies[settings.SESSION_COOKIE_NAME].value

    return {"name": settings.SESSION_COOKIE_NAME, "value": await in_db(sign_in)}


@asynccontextmanager
async def running_site(var: Path) -> AsyncIterator[Site]:
    """Everything runs and has something to show."""
    operator = await in_db(lambda: _load_demo(var))
    world = await in_db(lambda: _make_world(operator))
    empty = await in_db(lambda: make_operator(name="New charging network"))
    bare = await in_db(lambda: make_station(empty))
    try:
        with running_server() as server, working_outbox():
            async with AsyncExitStack() as stack:
                await _charge(server, stack)
                driver = await in_db(lambda: _make_driver_world(operator))
                trade = await in_db(lambda: _make_trade_world(operator))
                yield Site(server, operator, world, empty, bare, driver, trade)
    finally:
        await in_db(lambda: _put_demo_away(operator))


@contextmanager
def working_outbox() -> Iterator[None]:
    """What beat and a Celery worker do, in a thread."""
    over = threading.Event()

    def work() -> None:
        try:
            while not over.is_set():
                if not outbox.work():
                    over.wait(_PAUSE_S)
        finally:
            connection.close()

    thread = threading.Thread(target=work, name="outbox", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _load_demo(var: Path) -> Operator:
    with override_settings(VAR_DIR=var):
        call_command("load_demo", stations=6, stdout=StringIO())
    return Operator.objects.get(slug="demo")


def _make_world(operator: Operator) -> World:
    world = make_world(operator)
    # Its station is connected to a gateway that nobody keeps alive.
    Gateway.objects.filter(pk=world.station.state.gateway_id).update(
        lease_until=timezone.now() + timedelta(days=1)
    )
    return world


def _make_driver_world(operator: Operator) -> DriverWorld:
    """Beside what `_charge` made."""
    user = User.objects.get(email=DRIVER)
    driver = Driver.objects.get(user=user)
    card = IdToken.objects.get(operator=operator, uid=DEMO_TAGS[0])
    connectors = Connector.objects.filter(evse__station__operator=operator, evse__evse_id=1)
    outlets = {
        each.evse.station.identity: get_outlet(ensure_connector_code(each))
        for each in connectors.select_related("evse__station")
    }
    quiet = ChargingStation.objects.get(operator=operator, identity="DEMO-005")
    billed = make_ended(quiet, energy_wh=18_400, id_token=card, hours=2)
    tell("transaction.ended", billed)
    checked = make_ended(
        quiet,
        energy_wh=None,
        id_token=card,
        review_reasons=["no_stop"],
        received_ended_at=None,
        hours=3,
    )
    tell("transaction.ended", checked)
    now = timezone.now()
    start = start_charging(driver=driver, outlet=outlets["DEMO-001"], now=now)
    assert isinstance(start, Command)
    address = f"{unique('new')}@example.org"
    register_driver(
        email=address, password="rain-and-amps-7", name="Ada", language="en", next_path=""
    )
    return DriverWorld(
        user=user,
        location=quiet.location,
        codes={identity: outlet.code for identity, outlet in outlets.items()},
        card=card,
        billed=ChargingSession.objects.get(transaction=billed),
        in_review=ChargingSession.objects.get(transaction=checked),
        running=ChargingSession.objects.get(station__identity="DEMO-002", status="active"),
        start=start,
        claim=begin_claim(driver=driver, outlet=outlets["DEMO-004"], now=now),
        confirmation=confirmation_token(User.objects.get(email=address)),
        # Not of the driver who signs in: that ends every link to a new password.
        password_reset=_mail_link(User.objects.get(email=address)),
    )


def _make_trade_world(operator: Operator) -> TradeWorld:
    member = make_membership(operator, Role.SUPPORT)
    make_api_key(operator)
    return TradeWorld(
        assignment=TariffAssignment.objects.filter(operator=operator, removed_at=None).latest("pk"),
        group=make_id_token_group(operator),
        member=member,
        invitation=_mail_link(member.user),
        api_key=ApiKey.objects.filter(operator=operator).latest("pk"),
    )


def _mail_link(user: User) -> tuple[str, str]:
    """The two parts of a link with which somebody sets a password."""
    return urlsafe_base64_encode(force_bytes(user.pk)), default_token_generator.make_token(user)


def _put_demo_away(operator: Operator) -> None:
    suffix = Value(f"-{unique('over')}")
    Operator.objects.filter(pk=operator.pk).update(slug=Concat(F("slug"), suffix))
    operator.stations.update(identity=Concat(F("identity"), suffix))
    Membership.objects.filter(operator=operator, user__email__in=_DEMO_LOGINS).delete()
    User.objects.filter(email__in=_DEMO_LOGINS).update(email=Concat(Value(unique("x")), F("email")))


async def _charge(server: ServerProcess, stack: AsyncExitStack) -> None:
    """One car charges, one has a card that nobody knows, one EVSE is out of service; two stations offline."""
    _, charging, refused, closed = [
        await stack.enter_async_context(_demo_charger(server, member)) for member in demo_members(4)
    ]
    await charging.plug(1)
    await charging.tap(DEMO_TAGS[0], 1)
    await charging.charge(duration_s=900, connector_id=1)
    charging.speed = 1
    await refused.plug(1)
    await refused.tap("CARD-OF-A-GUEST", 1)
    await closed.outlet(1).set_operative(False)
    running = ChargingSession.objects.filter(station__identity=charging.identity, status="active")
    await eventually(running.exists)


def _demo_charger(server: ServerProcess, member: Member) -> VirtualStation:
    return VirtualStation(
        server.ocpp_url,
        member.identity,
        connectors=[spec for spec, _ in member.outlets],
        speed=600,
        seed=1,
    )
