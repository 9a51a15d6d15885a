"""An installer's way: a charger that is turned away, what is wrong with it, and what makes it connect."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from accounts.choices import Role
from stations.choices import SecurityProfile
from stations.models import ChargingStation
from stations.services.passwords import hash_password
from stations.simulator import VirtualStation
from stations.simulator.client import HandshakeRefused, RawClient
from tests.browser.person import Person
from tests.browser.site import Site
from tests.factories import STATION_PASSWORD, make_station, unique
from tests.stations.ocpp.conftest import in_db

pytestmark = pytest.mark.asyncio(loop_scope="session")

WRONG = "station-password-2"
PageAs = Callable[..., Awaitable[Person]]
Tell = Callable[[str], None]


@asynccontextmanager
async def switched_off_at_the_end(charger: VirtualStation) -> AsyncIterator[None]:
    """Its own `async with` would wait until it is online."""
    try:
        yield
    finally:
        await charger.close()


class Installer:
    """Somebody in front of the list of refusals, before the charger has power."""

    def __init__(self, person: Person, identity: str) -> None:
        self.person = person
        self.page: Page = person.page
        self.identity = identity
        self.began = 0.0

    @classmethod
    async def at(cls, page_as: PageAs, identity: str) -> "Installer":
        person = await page_as(Role.MANAGER)
        await person.go("/operator/handshakes/")
        return cls(person, identity)

    @property
    def row(self) -> Locator:
        return self.page.get_by_role("row").filter(has_text=self.identity)

    def switch_on(self, charger: VirtualStation) -> None:
        """It dials, and dials again, as chargers do."""
        self.began = time.monotonic()
        charger.power_on()

    async def sees(self, what_is_wrong: str, what_to_do: str) -> float:
        """Without a reload; returns how long it took."""
        await expect(self.row).to_contain_text(what_is_wrong)
        await expect(self.row).to_contain_text(what_to_do)
        return time.monotonic() - self.began

    async def choose(self, button: str) -> Locator:
        """The row's button, after the link to the station; returns what it opens."""
        link = self.row.get_by_role("link").last
        await expect(link).to_contain_text(button)
        await self.person.click(link)
        dialog = self.page.get_by_role("dialog")
        await expect(dialog).to_contain_text(self.identity)
        return dialog

    async def sees_it_online(self) -> str:
        """On the station's page; returns clicks and seconds since it was switched on."""
        head = self.page.get_by_role("main")
        await expect(head.get_by_text("Online", exact=True).first).to_be_visible()
        await expect(head).not_to_contain_text("Was not let in")
        return f"{self.person.clicks} clicks, {time.monotonic() - self.began:.1f} s"


async def test_a_wrong_password_is_replaced_by_a_new_one(
    site: Site, page_as: PageAs, tell: Tell
) -> None:
    station = await in_db(lambda: make_station(site.demo))
    installer = await Installer.at(page_as, station.identity)
    charger = site.charger(station.identity, password=WRONG, reconnect_cap_s=1.0)
    async with switched_off_at_the_end(charger):
        installer.switch_on(charger)
        seen_s = await installer.sees("The password is wrong.", "Compare the password")
        dialog = await installer.choose("Make a new password")
        await expect(dialog).to_contain_text(f"{len(WRONG)} bytes were sent.")
        assert WRONG not in await installer.page.content()
        await installer.person.click(dialog.get_by_role("button", name="Make a new password"))
        password = await installer.page.locator("#password").inner_text()
        # What the installer types into the charger.
        charger.uplink.password = password
        await installer.person.click(installer.page.get_by_role("link", name="To the station"))
        took = await installer.sees_it_online()
    tell(f"wrong password seen after {seen_s:.1f} s; replaced and online: {took}")


async def test_a_charger_mended_on_site_leaves_the_list_by_itself(
    site: Site, page_as: PageAs, tell: Tell
) -> None:
    """The sentence alone was enough: nothing is clicked but the way to the station."""
    key = bytes(range(20))
    station = await in_db(lambda: make_station(site.demo, password_hash=hash_password(key)))
    installer = await Installer.at(page_as, station.identity)
    charger = site.charger(station.identity, password=key.hex(), reconnect_cap_s=1.0)
    async with switched_off_at_the_end(charger):
        installer.switch_on(charger)
        await installer.sees(
            "The password is wrong.", "take its key for hexadecimal digits, not for text"
        )
        charger.uplink.password = key
        await expect(installer.row).to_have_count(0)
        await installer.page.goto(f"{site.server.http_url}/operator/stations/{station.identity}/")
        took = await installer.sees_it_online()
    tell(f"key sent as text, mended at the charger, online: {took}")


async def test_a_charger_that_names_no_version_is_spoken_to_in_16(
    site: Site, page_as: PageAs, tell: Tell
) -> None:
    def make() -> ChargingStation:
        return make_station(site.demo, security_profile=SecurityProfile.NONE, password_hash="")

    station = await in_db(make)
    installer = await Installer.at(page_as, station.identity)
    charger = site.charger(station.identity, personality="no_subprotocol", reconnect_cap_s=1.0)
    async with switched_off_at_the_end(charger):
        installer.switch_on(charger)
        seen_s = await installer.sees("No OCPP version in common.", "let us assume it")
        dialog = await installer.choose("Assume OCPP 1.6")
        await installer.person.click(dialog.get_by_role("button", name="Assume OCPP 1.6"))
        await expect(installer.page.get_by_text("The station is let in")).to_be_visible()
        await expect(installer.row).to_have_count(0)
        await installer.page.goto(f"{site.server.http_url}/operator/stations/{station.identity}/")
        took = await installer.sees_it_online()
    tell(f"no version named, seen after {seen_s:.1f} s; assumed and online: {took}")


async def test_a_charger_that_nobody_knows_is_adopted(
    site: Site, page_as: PageAs, tell: Tell
) -> None:
    identity = unique("NEW")
    installer = await Installer.at(page_as, identity)
    charger = site.charger(identity, reconnect_cap_s=1.0)
    async with switched_off_at_the_end(charger):
        installer.switch_on(charger)
        seen_s = await installer.sees("No station has this identity.", "adopt it")
        dialog = await installer.choose("Adopt…")
        await installer.person.click(dialog.get_by_role("button", name="Adopt this station"))
        charger.uplink.password = await installer.page.locator("#password").inner_text()
        await installer.person.click(installer.page.get_by_role("link", name="To the station"))
        took = await installer.sees_it_online()
    tell(f"unknown charger seen after {seen_s:.1f} s; adopted and online: {took}")


@dataclass(frozen=True)
class Slip:
    """One way to be turned away: what is sent, and what the refusal's page must say of it and advise.

    `of` are fields of the station; without them nobody knows the station.
    """

    sent: dict[str, Any]
    reason: str
    says: str
    advises: str
    of: dict[str, Any] | None = field(default_factory=dict)
    path: str = "{identity}"
    button: str = "Mended at the station"


SLIPS = {
    "bad_identity": Slip(
        {}, "does not end in a valid identity", "/ocpp/{identity}/CP", "Set the address", of=None,
        path="{identity}/CP",
    ),
    "unknown_identity": Slip(
        {"password": WRONG}, "No station has this identity", "ocpp1.6", "adopt it", of=None,
        button="Adopt this station",
    ),
    "no_credentials": Slip(
        {}, "sent no credentials", "No Authorization header was sent", "(AuthorizationKey)",
        button="Make a new password",
    ),
    "bearer": Slip(
        {"headers": {"Authorization": f"Bearer {WRONG}"}}, "sent no credentials",
        "of the kind 'Bearer'", "(AuthorizationKey)", button="Make a new password",
    ),
    "wrong_credentials": Slip(
        {"password": WRONG}, "The password is wrong", "18 bytes were sent", "Compare the password",
        button="Make a new password",
    ),
    "blanks": Slip(
        {"password": f"{STATION_PASSWORD}\n"}, "The password is wrong",
        "with blanks or a line end around it", "Compare the password", button="Make a new password",
    ),
    "literal_hex": Slip(
        {"password": bytes(range(20)).hex()}, "The password is wrong",
        "hexadecimal digits of the right password were sent as text", "hexadecimal digits, not for text",
        of={"password_hash": hash_password(bytes(range(20)))}, button="Accept the digits",
    ),
    "wrong_user": Slip(
        {"password": STATION_PASSWORD, "username": "admin"}, "user name is not",
        "The user name sent was 'admin'", "Set the user name",
    ),
    "profile_too_low": Slip(
        {"password": STATION_PASSWORD}, "less secure than", "not encrypted (ws://)", "wss://",
        of={"security_profile": SecurityProfile.TLS_BASIC}, button="Mended at the station",
    ),
    "no_subprotocol": Slip(
        {"password": STATION_PASSWORD, "subprotocols": None}, "No OCPP version in common",
        "Offered: none; spoken here: ocpp1.6", "let us assume it", button="Assume OCPP 1.6",
    ),
    "other_subprotocol": Slip(
        {"password": STATION_PASSWORD, "subprotocols": ["ocpp1.5"]}, "No OCPP version in common",
        "Offered: ocpp1.5; spoken here: ocpp1.6", "Choose one in the station",
    ),
    "client_certificate": Slip(
        {"password": STATION_PASSWORD}, "client certificate is missing", "connected with ws://", "wss://",
        of={"security_profile": SecurityProfile.TLS_CLIENT},
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", SLIPS)
async def test_a_refusal_says_what_was_sent_what_is_wrong_and_what_to_change(
    site: Site, page_as: PageAs, kind: str
) -> None:
    slip = SLIPS[kind]
    identity = unique("SLIP")
    if slip.of is not None:
        await in_db(lambda: make_station(site.demo, identity=identity, **slip.of))
    installer = await Installer.at(page_as, identity)
    target = f"{site.server.ocpp_url.rstrip('/')}/{slip.path.format(identity=identity)}"
    with pytest.raises(HandshakeRefused):
        await RawClient.open(site.server.ocpp_url, identity, target=target, **slip.sent)
    await installer.sees(slip.reason, slip.advises)
    dialog = await installer.choose("…")
    await expect(dialog).to_contain_text(slip.says.format(identity=identity))
    await expect(dialog).to_contain_text(slip.advises)
    await expect(dialog.get_by_role("button", name=slip.button)).to_be_visible()
    page = await installer.page.content()
    for secret in (WRONG, STATION_PASSWORD, bytes(range(20)).hex()):
        assert secret not in page
