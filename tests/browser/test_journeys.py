"""Ways that people go, from what they notice to what they wanted, with real chargers at the other end."""

import re
import time
from collections.abc import Awaitable, Callable

import pytest
from playwright.async_api import Locator, expect

from accounts.choices import Role
from billing.models import CDR
from stations.choices import SecurityProfile
from stations.models import ChargingStation, Connector, ConnectorStatus
from stations.services.connector_codes import ensure_connector_code
from stations.simulator.outlet import AC_22
from tests.browser.inventory import Who
from tests.browser.person import HEIGHTS, PHONE, Person
from tests.browser.site import Site
from tests.factories import make_location, make_operator, make_station, unique
from tests.stations.ocpp.conftest import eventually, in_db

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_an_operator_notices_a_fault_and_mends_it(
    site: Site, page_as: Callable[..., Awaitable[Person]], tell: Callable[[str], None]
) -> None:
    """On the overview, without a reload; then down to the station, a restart, and back to health."""

    def make() -> ChargingStation:
        location = make_location(site.demo, name="Harbour")
        return make_station(
            site.demo, security_profile=SecurityProfile.NONE, password_hash="", location=location
        )

    station = await in_db(make)
    operator = await page_as(Role.MANAGER)
    page = operator.page
    async with site.charger(station.identity, connectors=[AC_22]) as charger:
        await operator.go("/operator/")
        row = page.get_by_role("row").filter(has_text=station.identity)
        await expect(row.get_by_text("Available")).to_be_visible()

        await charger.outlet(1).fault("GroundFailure")
        began = time.monotonic()
        await expect(row.get_by_text("Faulted", exact=True)).to_be_visible()
        await expect(row).to_contain_text("Current leaked to earth")
        todo = page.get_by_role("region", name="Needs attention").get_by_role("listitem")
        await operator.click(
            todo.filter(has_text=station.identity).get_by_role("link", name="See what to do")
        )

        story = page.get_by_role("region", name="What happened")
        await expect(story).to_contain_text("Current leaked to earth")
        await expect(story).to_contain_text("Restart the station")
        await operator.click(story.get_by_role("link", name="Restart"))
        dialog = page.get_by_role("dialog")
        await expect(dialog).to_contain_text(station.identity)
        await operator.click(dialog.get_by_role("button", name="Restart"))

        await expect(page.get_by_role("heading", name="The station is back")).to_be_visible()
        command = page.locator("#commands").get_by_role("row").filter(has_text="Restart")
        await expect(command.get_by_text("Accepted").first).to_be_visible()
        evse = page.get_by_role("article").filter(has=page.get_by_role("heading", name="EVSE 1"))
        await expect(evse.get_by_text("Available")).to_be_visible()
        await expect(story).to_be_hidden()
        took_s = time.monotonic() - began
        assert charger.outlet(1).status == "Available"

    tell(f"fault noticed, understood, mended: {operator.clicks} clicks, {took_s:.1f} s")


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
async def test_a_driver_charges_and_reads_the_bill(
    scripts: bool,
    site: Site,
    page_as: Callable[..., Awaitable[Person]],
    tell: Callable[[str], None],
) -> None:
    """From the label's address to a bill that explains itself, with a telephone in hand."""

    def make() -> ChargingStation:
        location = make_location(site.demo, name="Harbour")
        return make_station(
            site.demo, security_profile=SecurityProfile.NONE, password_hash="", location=location
        )

    station = await in_db(make)
    driver = await page_as(Who.NEW_DRIVER, java_script_enabled=scripts)
    page = driver.page
    await page.set_viewport_size({"width": PHONE, "height": HEIGHTS[PHONE]})
    async with site.charger(
        station.identity,
        connectors=[AC_22],
        configuration={"MeterValueSampleInterval": "1"},
    ) as charger:
        label = await eventually(lambda: _label_of_free_connector(station))
        began = time.monotonic()
        await driver.go(label)
        await expect(page.get_by_text("Free", exact=True)).to_be_visible()
        price = page.get_by_role("region", name="Price")
        await expect(price).to_contain_text("per kWh")
        await expect(price).to_contain_text("Example:")

        await driver.click(page.get_by_role("button", name="Start charging"))
        await expect(page.get_by_role("heading", name="Plug in now")).to_be_visible()
        await charger.plug()
        await expect(page.get_by_role("link", name="Stop charging")).to_be_visible()
        # Enough to cost a cent or two.
        await charger.charge(energy_wh=30)
        figures = page.locator("#figures")
        await expect(figures).not_to_contain_text("0.00 kWh")
        await expect(figures).to_contain_text("kW")

        await driver.click(page.get_by_role("link", name="Stop charging"))
        await driver.click(page.get_by_role("button", name="Stop now"))
        await expect(page.get_by_role("heading", name="Receipt for charging")).to_be_visible()
        took_s = time.monotonic() - began
        await charger.unplug()

    lines = await _amounts(page.locator(".bill tbody td"))
    below = await _amounts(page.locator(".bill tfoot td"))
    net, *taxes, gross = below
    assert (sum(lines), net + sum(taxes)) == (net, gross)
    assert gross == await in_db(lambda: CDR.objects.get(session__station=station).gross_minor) > 0
    pdf = await page.request.get(page.url + "receipt.pdf")
    assert (await pdf.body()).startswith(b"%PDF")
    tell(
        f"from the label to the bill, {'with' if scripts else 'without'} scripts:"
        f" {driver.clicks} clicks, {took_s:.1f} s"
    )


async def test_a_new_operator_comes_from_nothing_to_a_first_bill(
    site: Site, page_as: Callable[..., Awaitable[Person]], tell: Callable[[str], None]
) -> None:
    """Led by the overview alone: a station, its connection, a price, a card, a session."""
    newcomer = await in_db(lambda: make_operator(name="Harbour Charging", currency="EUR"))
    identity, card = unique("HARBOUR"), unique("CARD")
    owner = await page_as(Role.OWNER, operator=newcomer)
    page = owner.page
    steps = page.get_by_role("region", name="From here to the first session")
    overview = page.get_by_role("link", name="Overview")
    began = time.monotonic()
    await owner.go("/operator/")

    await owner.click(steps.get_by_role("link", name="Add a station"))
    await owner.fill(page.get_by_role("textbox", name="Identity"), identity)
    await owner.click(page.get_by_role("button", name="Add the station"))
    password = await page.locator("#password").inner_text()
    await owner.click(overview)

    async with site.charger(identity, password=password, connectors=[AC_22]) as charger:
        await owner.click(steps.get_by_role("link", name="Tariffs"))
        await owner.click(page.get_by_role("link", name="Make the first tariff"))
        await owner.fill(page.get_by_role("textbox", name="Name"), "Harbour standard")
        await owner.fill(page.get_by_role("spinbutton", name="Energy, per kWh").first, "1000")
        await owner.click(page.get_by_role("button", name="Save and publish"))
        await owner.click(page.get_by_role("link", name="Assign"))
        await owner.click(page.get_by_role("button", name="Assign"))
        await owner.click(overview)

        await charger.plug()
        assert await charger.tap(card) == "Invalid"
        todo = page.get_by_role("listitem").filter(has_text=card[-4:])
        await owner.click(todo.get_by_role("link", name="Decide"))
        await owner.click(page.get_by_role("dialog").get_by_role("button", name="Save"))
        await expect(page.get_by_text("Accepted")).to_be_visible()
        await owner.click(overview)

        assert await charger.tap(card) == "Accepted"
        await expect(page.get_by_text("1 vehicle connected")).to_be_visible()
        await charger.charge(energy_wh=12)
        tx = await charger.stop()
        await charger.unplug()
        await charger.drained()
        await owner.click(page.get_by_role("link", name="Sessions"))
        session = page.get_by_role("row").filter(has_text=identity)
        await expect(session).to_contain_text("Completed")
        # 1000 EUR per kWh: so many Wh by the station's meter, so many euros.
        energy_wh = tx.meter_stop_wh - tx.meter_start_wh
        await expect(session).to_contain_text(f"{energy_wh}.00 EUR")
    took_s = time.monotonic() - began
    tell(
        f"from nothing to a first bill: {owner.clicks} clicks, {owner.fields} fields, {took_s:.1f} s"
    )


def _label_of_free_connector(station: ChargingStation) -> str:
    """The address in the QR code, once somebody could charge there."""
    free = ConnectorStatus.objects.filter(station=station, connector_id=1, status="Available")
    connector = Connector.objects.filter(evse__station=station, connector_id=1).first()
    return f"/c/{ensure_connector_code(connector)}" if connector and free.exists() else ""


async def _amounts(cells: Locator) -> list[int]:
    """In cents, as they are written."""
    return [int(re.sub(r"\D", "", text)) for text in await cells.all_inner_texts()]
