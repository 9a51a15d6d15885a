"""A technician's way: fetch a station's diagnostics, read them, update its firmware, and see how it went."""

import time
from collections.abc import Awaitable, Callable

import pytest
from playwright.async_api import expect

from accounts.choices import Role
from stations.choices import SecurityProfile
from stations.models import ChargingStation
from tests.browser.person import Person
from tests.browser.site import Site
from tests.factories import make_station
from tests.stations.ocpp.conftest import in_db

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_technician_reads_diagnostics_and_updates_the_firmware(
    site: Site, page_as: Callable[..., Awaitable[Person]], tell: Callable[[str], None]
) -> None:
    """The charger at the other end really uploads, really downloads, and once cannot install."""

    def make() -> ChargingStation:
        return make_station(site.demo, security_profile=SecurityProfile.NONE, password_hash="")

    station = await in_db(make)
    technician = await page_as(Role.TECHNICIAN)
    page = technician.page
    files = page.get_by_role("region", name="Diagnostics and logs")
    firmware = page.get_by_role("region", name="Firmware", exact=True)
    async with site.charger(station.identity) as charger:
        began = time.monotonic()
        await technician.go(f"/operator/stations/{station.identity}/")
        await technician.click(page.get_by_role("link", name="Firmware & logs"))
        await technician.click(files.get_by_role("link", name="Fetch diagnostics…"))
        dialog = page.get_by_role("dialog")
        await expect(dialog).to_contain_text("Charging goes on")
        await technician.click(dialog.get_by_role("button", name="Fetch"))

        # It arrives without a reload.
        archive = files.get_by_role("link", name="diagnostics-")
        await technician.click(archive)
        await technician.click(page.get_by_role("link", name="system.log"))
        lines = page.get_by_role("region", name="Lines")
        await expect(lines).to_contain_text(f"identity {station.identity}")
        await page.get_by_label("Find in this file").fill("firmware")
        await technician.click(page.get_by_role("button", name="Find"))
        await expect(lines.get_by_role("row")).to_have_count(1)
        await expect(lines.locator("mark")).to_have_text("firmware")
        took_s = time.monotonic() - began
        clicks = technician.clicks

        await technician.go("/operator/firmware/")
        for version, note in (("2.0.0", "cannot be installed"), ("2.1.0", "fine")):
            content = f"magetsi-firmware {version}\n{note}\n".encode()
            name = f"charger-{version}.bin"
            await page.get_by_label("File", exact=True).set_input_files(
                {"name": name, "mimeType": "application/octet-stream", "buffer": content}
            )
            await page.get_by_label("Version", exact=True).fill(version)
            await technician.click(page.get_by_role("button", name="Upload"))
            await expect(page.get_by_role("row").filter(has_text=name)).to_be_visible()

        await technician.go(f"/operator/stations/{station.identity}/upkeep/")
        await update(technician, "charger-2.0.0.bin 2.0.0")
        await expect(firmware).to_contain_text(
            "The station fetched the file and could not install it"
        )
        assert charger.memory.firmware_version == "1.6.0"
        await update(technician, "charger-2.1.0.bin 2.1.0")
        done = "Done: the station now runs 2.1.0, before it was 1.6.0."
        await expect(firmware).to_contain_text(done)
        story = firmware.get_by_role("list")
        for step in ("Asked for", "Downloading", "Downloaded", "Installing", "Installed"):
            await expect(story).to_contain_text(step)
        await expect(story).to_contain_text("The station started with 2.1.0")
        assert charger.memory.firmware_version == "2.1.0"
    tell(f"from a station's page to its diagnostics, read: {clicks} clicks, {took_s:.1f} s")


async def update(technician: Person, file: str) -> None:
    """Choose a file in the dialog and agree."""
    page = technician.page
    await technician.click(page.get_by_role("link", name="Update… Firmware"))
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Firmware", exact=True).select_option(label=file)
    await technician.click(dialog.get_by_role("button", name="Update"))
