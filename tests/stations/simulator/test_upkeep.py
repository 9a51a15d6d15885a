"""A virtual station fetches firmware and hands over files for real, and says honestly how it went."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from stations.simulator import VirtualStation
from stations.simulator.client import ConnectionLost
from stations.simulator.upkeep import Upkeep
from tests.conformance.pki import make_ca

AT = "2026-01-01T00:00:00Z"


class Shelf(ThreadingHTTPServer):
    """Gives away what lies on it, takes what is put there."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.refuses = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Shelf

    def do_GET(self) -> None:
        found = self.server.files.get(self.path)
        self.send_response(404 if found is None else 200)
        self.send_header("Content-Length", str(len(found or b"")))
        self.end_headers()
        self.wfile.write(found or b"")

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if not self.server.refuses:
            self.server.files[self.path] = body
        self.send_response(404 if self.server.refuses else 201)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    with Shelf() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
async def station(make_station):
    station = make_station()
    await station.start()
    return station


def said(central, action="FirmwareStatusNotification"):
    return [payload["status"] for payload in central.payloads(action)]


async def update(central, shelf, content, name="fw.bin"):
    shelf.files[f"/{name}"] = content
    payload = {"location": f"{shelf.url}/{name}", "retrieveDate": AT}
    assert await central.result("UpdateFirmware", payload) == {}


async def test_firmware_is_fetched_installed_and_booted(central, station, shelf):
    await update(central, shelf, b"magetsi-firmware 2.1.0\nbytes")
    await central.wait_for(lambda: len(central.of("BootNotification")) == 2)
    assert said(central) == ["Downloading", "Downloaded", "Installing", "Installed"]
    versions = [boot["firmwareVersion"] for boot in central.payloads("BootNotification")]
    assert versions == ["1.6.0", "2.1.0"]


async def test_a_session_is_not_cut_off_for_it(central, station, shelf):
    await station.plug()
    await station.tap("CARD-1")
    await update(central, shelf, b"plain bytes", name="charger-3.2.1.bin")
    await central.wait_for(lambda: "Downloaded" in said(central))
    await station.charge(energy_wh=100)
    assert "Installing" not in said(central)
    await station.stop()
    await central.wait_for(lambda: "Installed" in said(central))
    assert station.memory.firmware_version == "3.2.1"
    assert central.payloads("StopTransaction")[0].get("reason") is None


@pytest.mark.parametrize(
    ("content", "fault", "last"),
    [
        (b"fine", "download", "DownloadFailed"),
        (b"fine", "install", "InstallationFailed"),
        (b"magetsi-firmware 3\ncannot be installed", None, "InstallationFailed"),
    ],
)
async def test_what_fails_is_told_and_changes_nothing(
    central, station, shelf, content, fault, last
):
    station.upkeep.faults |= {fault} if fault else set()
    await update(central, shelf, content)
    await central.wait_for(lambda: last in said(central))
    assert (said(central)[-1], station.memory.firmware_version) == (last, "1.6.0")
    assert len(central.of("BootNotification")) == 1


async def test_what_is_not_there_cannot_be_fetched(central, station, shelf):
    for location in (f"{shelf.url}/nothing", "ftp://example.com/fw", "http://127.0.0.1:1/fw"):
        before = said(central).count("DownloadFailed")
        payload = {"location": location, "retrieveDate": AT}
        await central.result("UpdateFirmware", payload)
        await central.wait_for(lambda n=before: said(central).count("DownloadFailed") > n)


def signed(shelf, content, signature_of=None):
    maker = make_ca().issue("Maker")
    shelf.files["/s.bin"] = content
    raw = maker.key.sign(signature_of or content, ec.ECDSA(hashes.SHA256()))
    return {
        "requestId": 7,
        "firmware": {
            "location": f"{shelf.url}/s.bin",
            "retrieveDateTime": AT,
            "signingCertificate": maker.pem,
            "signature": base64.b64encode(raw).decode(),
        },
    }


async def test_signed_firmware_is_checked_and_told_by_its_id(central, station, shelf):
    payload = signed(shelf, b"magetsi-firmware 2.2\n")
    assert await central.result("SignedUpdateFirmware", payload) == {"status": "Accepted"}
    action = "SignedFirmwareStatusNotification"
    await central.wait_for(lambda: "Installed" in said(central, action))
    assert said(central, action) == [
        "Downloading",
        "Downloaded",
        "SignatureVerified",
        "Installing",
        "InstallRebooting",
        "Installed",
    ]
    assert {p["requestId"] for p in central.payloads(action)} == {7}
    assert central.payloads("BootNotification")[-1]["firmwareVersion"] == "2.2"


async def test_another_signature_installs_nothing(central, station, shelf):
    await central.result("SignedUpdateFirmware", signed(shelf, b"bytes", signature_of=b"others"))
    await central.wait_for(lambda: central.of("SecurityEventNotification"))
    assert said(central, "SignedFirmwareStatusNotification")[-1] == "InvalidSignature"
    assert central.payloads("SecurityEventNotification")[0]["type"] == "InvalidFirmwareSignature"
    assert station.memory.firmware_version == "1.6.0"


async def test_diagnostics_are_uploaded(central, station, shelf):
    payload = {"location": f"{shelf.url}/up/secret/"}
    name = (await central.result("GetDiagnostics", payload))["fileName"]
    action = "DiagnosticsStatusNotification"
    await central.wait_for(lambda: "Uploaded" in said(central, action))
    assert said(central, action) == ["Uploading", "Uploaded"]
    with zipfile.ZipFile(io.BytesIO(shelf.files[f"/up/secret/{name}"])) as archive:
        assert "SIM-1" in archive.read("system.log").decode()
        assert "AuthorizationKey" not in json.loads(archive.read("configuration.json"))
        lines = archive.read("messages.jsonl").decode().splitlines()
    assert any("BootNotification" in json.loads(line)["frame"] for line in lines)


async def test_a_log_is_uploaded_by_its_id_and_a_refusal_told(central, station, shelf):
    log = {"remoteLocation": f"{shelf.url}/up/secret/"}
    payload = {"logType": "SecurityLog", "requestId": 3, "log": log}
    answer = await central.result("GetLog", payload)
    assert answer["status"] == "Accepted"
    await central.wait_for(lambda: "Uploaded" in said(central, "LogStatusNotification"))
    body = shelf.files[f"/up/secret/{answer['filename']}"].decode()
    assert json.loads(body.splitlines()[0])["type"] == "StartupOfTheDevice"
    shelf.refuses = True
    await central.result("GetLog", {**payload, "requestId": 4})
    await central.wait_for(lambda: "UploadFailure" in said(central, "LogStatusNotification"))
    told = central.payloads("LogStatusNotification")[-1]
    assert told == {"status": "UploadFailure", "requestId": 4}


async def test_a_socket_that_is_gone_leaves_everybody_else_their_turn() -> None:
    """A station that has not noticed yet, and is switched off in this very moment."""

    class Unaware:
        calls = 0

        async def wait_until(self, *_: object) -> None:
            """It takes itself for ready."""

        async def call(self, *_: object) -> None:
            self.calls += 1
            assert self.calls < 1_000, "nobody else had a turn"
            raise ConnectionLost("gone")

    station = Unaware()
    telling = asyncio.create_task(Upkeep(cast(VirtualStation, station)).tell("Heartbeat", {}))
    while not station.calls:
        await asyncio.sleep(0)
    telling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await telling
