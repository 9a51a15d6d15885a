"""`manage.py load_demo`: a small operator to look around in, and the logins to do so."""

import json
import os
import secrets
from argparse import ArgumentParser
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from accounts.choices import IdTokenStatus, Role
from accounts.models import Driver, IdToken, Membership, Operator, User
from accounts.services.actors import Actor
from accounts.services.id_tokens import create_id_token
from billing.models import Tariff, TariffAssignment
from billing.tariffs.services import assign_tariff, create_tariff
from cms.base.errors import Conflict
from stations.choices import SecurityProfile
from stations.models import ChargingStation, Location
from stations.services.locations import create_location
from stations.services.stations import EVSEPlan, create_station
from stations.simulator.curve import Current
from stations.simulator.fleet import DEMO_TAGS, demo_members
from stations.simulator.outlet import OutletSpec

SLUG = "demo"
FEWEST_STATIONS = 6
BLOCKED_TAG = "DEMO-CARD-90"
TARIFF_ID = "demo-standard"

# Per kWh with an occupancy fee after a grace: lawful at fast points in the European Union too.
TARIFF: dict[str, Any] = {
    "id": TARIFF_ID,
    "currency": "EUR",
    "tariff_alt_text": [
        {
            "language": "en",
            "text": "0.49 EUR per kWh plus VAT. A car that stays plugged in without charging "
            "pays 6 EUR an hour after ten minutes, 20 EUR at most.",
        }
    ],
    "elements": [
        {
            "price_components": [
                {"type": "ENERGY", "price": Decimal("0.49"), "vat": 19, "step_size": 1},
                {"type": "PARKING_TIME", "price": Decimal("6.00"), "vat": 19, "step_size": 60},
            ]
        }
    ],
    "x_magetsi": {
        "name": "Demo standard",
        "idle_grace_s": 600,
        "idle_cap": Decimal("20.00"),
        "country": "DE",
    },
}


@dataclass(frozen=True)
class Login:
    """Somebody who can sign in to the demo."""

    label: str
    email: str
    name: str
    is_admin: bool = False


LOGINS = (
    Login("operator", "operator@demo.example", "Demo operator"),
    Login("driver", "driver@demo.example", "Demo driver"),
    Login("admin", "admin@demo.example", "Demo admin", is_admin=True),
)


class Command(BaseCommand):
    help = "Create the demo operator with stations, cards, a tariff and logins; safe to repeat."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--stations",
            type=int,
            default=int(os.environ.get("FLEET") or FEWEST_STATIONS),
            metavar="N",
            help=f"how many stations, at least {FEWEST_STATIONS} (default: FLEET)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        book = PasswordBook(settings.VAR_DIR / "demo-logins.json")
        try:
            with transaction.atomic():
                lines = self._load(book, max(FEWEST_STATIONS, options["stations"]))
        except Conflict as error:
            raise CommandError(f"The demo cannot be loaded: {error.message}") from error
        book.save()
        for line in lines:
            self.stdout.write(line)

    def _load(self, book: "PasswordBook", stations: int) -> list[str]:
        operator = load_operator()
        load_stations(operator, stations)
        users = {login.label: load_user(login, book) for login in LOGINS}
        Membership.objects.get_or_create(
            operator=operator, user=users["operator"], defaults={"role": Role.OWNER}
        )
        load_id_tokens(operator, load_driver(users["driver"]))
        load_tariff(operator)
        return [
            f"{login.label} login: {login.email} {book.password(login.email)}" for login in LOGINS
        ]


class PasswordBook:
    """The demo's passwords, made on first use and the same at every start; a file for the owner's eyes.

    Beside each password stands its hash as stored in the database, so that a start need not hash
    anything to know that the password still holds.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries: dict[str, dict[str, str]] = {}
        if path.exists():
            self._entries = json.loads(path.read_text(encoding="utf-8"))

    def password(self, email: str) -> str:
        """The password of this login; a new one for a new login."""
        return self._entries.setdefault(email, {"password": secrets.token_urlsafe(9), "hash": ""})[
            "password"
        ]

    def apply(self, user: User) -> None:
        """Make the password hold; whoever changed it in the demo gets the printed one back."""
        password = self.password(user.email)
        entry = self._entries[user.email]
        if user.password and user.password == entry["hash"]:
            return
        user.set_password(password)
        user.save(update_fields=["password"])
        entry["hash"] = user.password

    def save(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.touch(mode=0o600)
        self._path.chmod(0o600)
        self._path.write_text(json.dumps(self._entries, indent=1) + "\n", encoding="utf-8")


def load_operator() -> Operator:
    """The tenant `demo`."""
    operator, _ = Operator.objects.get_or_create(
        slug=SLUG,
        defaults={
            "name": "Demo charging network",
            "country": "DE",
            "currency": "EUR",
            "time_zone": "Europe/Berlin",
        },
    )
    return operator


def load_stations(operator: Operator, count: int) -> None:
    """One site with the stations that `manage.py simulate --demo` plays, with the same outlets."""
    acting = Actor.system(operator)
    site = Location.objects.filter(operator=operator).order_by("id").first() or create_location(
        acting=acting,
        name="Demo site",
        address="Alexanderplatz 1",
        city="Berlin",
        postal_code="10178",
        country="DE",
        latitude=Decimal("52.5219"),
        longitude=Decimal("13.4132"),
    )
    known = set(
        ChargingStation.objects.filter(operator=operator).values_list("identity", flat=True)
    )
    for number, member in enumerate(demo_members(count), start=1):
        if member.identity not in known:
            create_station(
                acting=acting,
                identity=member.identity,
                name=f"Bay {number}",
                location=str(site.pk),
                security_profile=SecurityProfile.NONE,
                evses=[_evse(evse_id, spec) for evse_id, (spec, _) in enumerate(member.outlets, 1)],
            )


def _evse(evse_id: int, spec: OutletSpec) -> EVSEPlan:
    is_dc = spec.current is Current.DC
    return {
        "evse_id": evse_id,
        "connectors": [
            {
                "connector_id": 1,
                "standard": "IEC_62196_T2_COMBO" if is_dc else "IEC_62196_T2",
                "power_type": "DC" if is_dc else "AC_3_PHASE",
                "max_power_w": int(spec.max_power_w),
            }
        ],
    }


def load_user(login: Login, book: PasswordBook) -> User:
    """The user behind a login, with the password that is printed."""
    user, _ = User.objects.get_or_create(
        email=login.email,
        defaults={
            "name": login.name,
            "is_staff": login.is_admin,
            "is_superuser": login.is_admin,
        },
    )
    book.apply(user)
    return user


def load_driver(user: User) -> Driver:
    """The person who charges in the demo."""
    driver, _ = Driver.objects.get_or_create(
        user=user, defaults={"name": user.name, "email": user.email}
    )
    return driver


def load_id_tokens(operator: Operator, driver: Driver) -> None:
    """The cards that the virtual chargers' people carry, and one that is blocked."""
    acting = Actor.system(operator)
    known = set(IdToken.objects.filter(operator=operator).values_list("uid", flat=True))
    for uid in (*DEMO_TAGS, BLOCKED_TAG):
        if uid not in known:
            blocked = uid == BLOCKED_TAG
            status = IdTokenStatus.BLOCKED if blocked else IdTokenStatus.ACCEPTED
            token = create_id_token(acting=acting, uid=uid, status=status)
            # The service gives tokens only to drivers whom the operator knows already.
            IdToken.objects.filter(pk=token.pk).update(driver=driver)


def load_tariff(operator: Operator) -> None:
    """One price for everything the operator has."""
    acting = Actor.system(operator)
    tariff = Tariff.objects.filter(operator=operator, ocpi_id=TARIFF_ID).first()
    if tariff is None:
        tariff = create_tariff(actor=acting, data=TARIFF)
    if not TariffAssignment.objects.filter(operator=operator, tariff=tariff).exists():
        assign_tariff(actor=acting, tariff=tariff)
