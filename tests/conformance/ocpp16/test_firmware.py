"""Firmware: TC_044_1 to _3, TC_080 and TC_081 of OCPP 1.6, and what a station says against it."""

import base64
import hashlib
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from tests.conformance.messages import ago
from tests.conformance.pki import make_ca, rsa_key
from tests.conformance.site import Registered, Site, until
from tests.conformance.wire import WireStation

Row = dict[str, Any]
IMAGE = bytes(range(256)) * 2000


async def keep_firmware(site: Site, **fields: str) -> Row:
    """A file of the operator's."""
    response = await site.rest.http.post(
        "/firmware/", files={"file": ("fw-2.bin", IMAGE)}, data={"version": "2.0.0", **fields}
    )
    assert response.status_code == 201, response.text
    row: Row = response.json()
    assert row["sha256"] == hashlib.sha256(IMAGE).hexdigest()
    return row


async def ask(site: Site, station: Registered, **body: Any) -> Row:
    row: Row = await site.rest.post(f"{station.path}firmware-updates/", body)
    assert row["status"] == "Requested"
    return row


async def settled(site: Site, station: Registered, row: Row, status: str) -> Row:
    """The row once it has this status."""

    async def find() -> Row | None:
        now: Row = await site.rest.get(f"{station.path}firmware-updates/{row['id']}/")
        return now if now["status"] == status else None

    found = await until(find)
    assert found is not None
    return found


async def report(wire: WireStation, *statuses: str) -> None:
    for status in statuses:
        assert await wire.call("FirmwareStatusNotification", {"status": status}) == {}


async def report_signed(wire: WireStation, request_id: int, *statuses: str) -> None:
    for status in statuses:
        said = {"status": status, "requestId": request_id}
        assert await wire.call("SignedFirmwareStatusNotification", said) == {}


async def boot(wire: WireStation, version: str) -> None:
    said = {
        "chargePointVendor": "Conformance",
        "chargePointModel": "Wire",
        "firmwareVersion": version,
    }
    assert (await wire.call("BootNotification", said))["status"] == "Accepted"


async def booted(site: Site, station: Registered, row: Row) -> Row:
    """The row once a boot has told its version."""

    async def find() -> Row | None:
        now: Row = await site.rest.get(f"{station.path}firmware-updates/{row['id']}/")
        return now if now["version_after"] else None

    found = await until(find)
    assert found is not None
    return found


async def test_tc_044_1_update_firmware(site: Site) -> None:
    station, file = await site.make_station(), await keep_firmware(site)
    async with site.connect(station) as wire:
        await boot(wire, "1.0.0")
        row = await ask(site, station, firmware=file["id"])
        sent = await wire.take("UpdateFirmware", {})
        await settled(site, station, row, "Accepted")
        await report(wire, "Downloading")
        async with httpx.AsyncClient() as http:
            got = await http.get(sent["location"])
            rest = await http.get(sent["location"], headers={"Range": "bytes=500000-"})
        assert (got.content, rest.status_code, rest.content) == (IMAGE, 206, IMAGE[500000:])
        await report(wire, "Downloaded", "Installing")
        await settled(site, station, row, "Installing")
        await report(wire, "Installed")
        done = await settled(site, station, row, "Installed")
        assert done["finished_at"] is not None
        await boot(wire, "2.0.0")
        done = await booted(site, station, row)
        assert (done["version_before"], done["version_after"]) == ("1.0.0", "2.0.0")
        assert [entry["status"] for entry in done["history"]] == [
            "Downloading",
            "Downloaded",
            "Installing",
            "Installed",
            "Booted",
        ]
        assert (await site.station(station))["firmware_version"] == "2.0.0"
        async with httpx.AsyncClient() as http:
            assert (await http.get(sent["location"])).status_code == 404


async def test_tc_044_2_download_failed(site: Site) -> None:
    await assert_failure_is_shown(site, ["Downloading"], "DownloadFailed")


async def test_tc_044_3_installation_failed(site: Site) -> None:
    way = ["Downloading", "Downloaded", "Installing"]
    await assert_failure_is_shown(site, way, "InstallationFailed")


async def assert_failure_is_shown(site: Site, reports: list[str], failure: str) -> None:
    station = await site.make_station()
    async with site.connect(station) as wire:
        row = await ask(site, station, location="https://maker.example/fw.bin")
        assert (await wire.take("UpdateFirmware", {}))["location"] == "https://maker.example/fw.bin"
        await settled(site, station, row, "Accepted")
        await report(wire, *reports, failure)
        failed = await settled(site, station, row, failure)
        # Late and idle words change nothing any more, and a new update can be asked for.
        await report(wire, "Downloading", "Idle")
        assert await settled(site, station, row, failure)
        assert failed["finished_at"] is not None
        await ask(site, station, location="https://maker.example/fw.bin")
        await wire.take("UpdateFirmware", {})


async def keep_signed_firmware(site: Site) -> Row:
    maker = make_ca().issue("Maker", rsa_key())
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.MAX_LENGTH)
    signature = base64.b64encode(maker.key.sign(IMAGE, pss, hashes.SHA256())).decode()
    return await keep_firmware(site, signing_certificate=maker.pem, signature=signature)


async def test_tc_080_signed_update_firmware(site: Site) -> None:
    station, file = await site.make_station(), await keep_signed_firmware(site)
    async with site.connect(station) as wire:
        row = await ask(site, station, firmware=file["id"], signed=True)
        sent = await wire.take("SignedUpdateFirmware", {"status": "Accepted"})
        assert sent["requestId"] == row["request_id"]
        assert sent["firmware"]["signingCertificate"].startswith("-----BEGIN CERTIFICATE")
        assert base64.b64decode(sent["firmware"]["signature"])
        async with httpx.AsyncClient() as http:
            assert (await http.get(sent["firmware"]["location"])).content == IMAGE
        await settled(site, station, row, "Accepted")
        way = ["Downloading", "Downloaded", "SignatureVerified", "Installing", "InstallRebooting"]
        await report_signed(wire, sent["requestId"], *way)
        await settled(site, station, row, "InstallRebooting")
        await boot(wire, "2.0.0")
        await report_signed(wire, sent["requestId"], "Installed")
        await settled(site, station, row, "Installed")
        assert (await booted(site, station, row))["version_after"] == "2.0.0"


async def test_tc_081_invalid_signature(site: Site) -> None:
    station, file = await site.make_station(), await keep_signed_firmware(site)
    async with site.connect(station) as wire:
        row = await ask(site, station, firmware=file["id"], signed=True)
        sent = await wire.take("SignedUpdateFirmware", {"status": "Accepted"})
        await report_signed(wire, sent["requestId"], "Downloading", "Downloaded")
        await report_signed(wire, sent["requestId"], "InvalidSignature")
        event = {"type": "InvalidFirmwareSignature", "timestamp": ago(seconds=1)}
        assert await wire.call("SecurityEventNotification", event) == {}
        await settled(site, station, row, "InvalidSignature")
    events = await site.rest.rows("/security-events/", station=station.identity)
    assert "InvalidFirmwareSignature" in [event["type"] for event in events]


@pytest.mark.parametrize("word", ["Rejected", "InvalidCertificate", "RevokedCertificate"])
async def test_a_refused_update_is_shown_and_offers_nothing(site: Site, word: str) -> None:
    station, file = await site.make_station(), await keep_signed_firmware(site)
    async with site.connect(station) as wire:
        row = await ask(site, station, firmware=file["id"], signed=True)
        sent = await wire.take("SignedUpdateFirmware", {"status": word})
        refused = await settled(site, station, row, "Refused")
    assert [entry["status"] for entry in refused["history"]] == [word]
    async with httpx.AsyncClient() as http:
        assert (await http.get(sent["firmware"]["location"])).status_code == 404


async def test_the_second_update_cancels_the_first(site: Site) -> None:
    station = await site.make_station()
    signed = {
        "location": "https://maker.example/fw.bin",
        "signed": True,
        "signing_certificate": "-----BEGIN CERTIFICATE-----",
        "signature": "c2lnbmVk",
    }
    async with site.connect(station) as wire:
        first = await ask(site, station, **signed)
        await wire.take("SignedUpdateFirmware", {"status": "Accepted"})
        await report_signed(wire, first["request_id"], "Downloading")
        await settled(site, station, first, "Downloading")
        second = await ask(site, station, **signed)
        await wire.take("SignedUpdateFirmware", {"status": "AcceptedCanceled"})
        await settled(site, station, second, "Accepted")
        await settled(site, station, first, "Superseded")
        await report_signed(wire, second["request_id"], "Installed")
        await settled(site, station, second, "Installed")


async def test_words_about_no_update_are_answered(site: Site) -> None:
    station = await site.make_station()
    async with site.connect(station) as wire:
        await report(wire, "Idle", "Installed")
        await report_signed(wire, 2**40, "Installed")
        assert await wire.call("SignedFirmwareStatusNotification", {"status": "Idle"}) == {}
    assert await site.rest.rows(f"{station.path}firmware-updates/") == []
