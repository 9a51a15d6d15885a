"""Firmware and files of a virtual station: it really fetches, really installs, really uploads.

An image is whatever lies at the address. Its version is told by a first line `magetsi-firmware 2.1.0`, else by its name,
else by its hash; a second line `cannot be installed` makes the installation fail. `faults` makes other things fail.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import io
import json
import re
import urllib.request
import zipfile
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPException
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from .client import CallErrorReceived, CallTimeout, ConnectionLost
from .wire import Payload

if TYPE_CHECKING:
    from .commands import FollowUp, Handler
    from .station import VirtualStation

# What may be put into `Upkeep.faults`.
DOWNLOAD, INSTALL, UPLOAD = "download", "install", "upload"

# Long enough to be watched; `speed` shortens it.
INSTALL_S = 5
_HTTP_TIMEOUT_S = 30
_MAX_IMAGE_BYTES = 512 * 1024 * 1024
_HEAD = re.compile(rb"magetsi-firmware (\S{1,50})\s*\n")
_PAUSE_S = 0.1
_IN_NAME = re.compile(r"\d+(?:\.\d+)+")
_FRAMES_TOLD = 200


@dataclass(frozen=True)
class Image:
    """A firmware as it was fetched."""

    content: bytes
    version: str

    @property
    def installs(self) -> bool:
        return b"cannot be installed" not in self.content[:200]


def read_image(content: bytes, location: str) -> Image:
    """What the bytes say they are."""
    if head := _HEAD.match(content):
        return Image(content, head[1].decode("ascii", "replace"))
    in_name = _IN_NAME.search(unquote(urlsplit(location).path.rsplit("/", 1)[-1]))
    version = in_name[0] if in_name else hashlib.sha256(content).hexdigest()[:8]
    return Image(content, version[:50])


class Upkeep:
    """What a station is busy with beside charging: at most one update and one upload at a time."""

    def __init__(self, station: VirtualStation) -> None:
        self._station = station
        self.faults: set[str] = set()
        self.firmware_status = "Idle"
        self.upload_status = "Idle"
        self.events: list[Payload] = []
        self._update: asyncio.Task[Any] | None = None
        self._upload: asyncio.Task[Any] | None = None

    @property
    def is_updating(self) -> bool:
        return self._update is not None and not self._update.done()

    @property
    def is_uploading(self) -> bool:
        return self._upload is not None and not self._upload.done()

    def begin_update(self, work: Coroutine[Any, Any, Any]) -> None:
        """The newest request counts: an update that is under way is dropped."""
        if self._update is not None:
            self._update.cancel()
        self._update = self._station.spawn(work)

    def begin_upload(self, work: Coroutine[Any, Any, Any]) -> None:
        if self._upload is not None:
            self._upload.cancel()
        self._upload = self._station.spawn(work)

    # --- firmware ---------------------------------------------------------------------------

    async def update(self, location: str, retrieve_at: datetime, request: Payload | None) -> None:
        """The whole way; `request` is that of a signed update."""
        station = self._station
        wait_s = (retrieve_at - datetime.now(UTC)).total_seconds()
        if wait_s > 0:
            if request is not None:
                await self._report_firmware("DownloadScheduled", request)
            await asyncio.sleep(wait_s)
        await self._report_firmware("Downloading", request)
        try:
            image = await self._fetch(location)
        except OSError as error:
            station.note(f"download failed: {error}")
            await self._report_firmware("DownloadFailed", request)
            return
        await self._report_firmware("Downloaded", request)
        if request is not None:
            if not _is_signed(image.content, request["firmware"]):
                await self._report_firmware("InvalidSignature", request)
                await self.tell_event("InvalidFirmwareSignature")
                return
            await self._report_firmware("SignatureVerified", request)
        # A session is not cut off for it.
        await station.wait_until(lambda s: all(o.tx is None for o in s.outlets.values()), None)
        await self._report_firmware("Installing", request)
        await asyncio.sleep(INSTALL_S / station.speed)
        if INSTALL in self.faults or not image.installs:
            await self._report_firmware("InstallationFailed", request)
            return
        station.memory.firmware_version = image.version
        station.memory.save()
        station.note(f"firmware {image.version} installed")
        if request is None:
            await self._report_firmware("Installed", request)
            await station.restart("Reboot")
        else:
            await self._report_firmware("InstallRebooting", request)
            await station.restart("Reboot")
            await station.wait_until(lambda s: s.is_online, None)
            await self._report_firmware("Installed", request)

    async def _fetch(self, location: str) -> Image:
        if DOWNLOAD in self.faults or not _is_web(location):
            raise OSError("this address cannot be fetched from")
        content = await asyncio.to_thread(_get, location)
        return read_image(content, location)

    async def _report_firmware(self, status: str, request: Payload | None) -> None:
        self.firmware_status = status
        if request is None:
            await self.tell("FirmwareStatusNotification", {"status": status})
        else:
            said = {"status": status, "requestId": request["requestId"]}
            await self.tell("SignedFirmwareStatusNotification", said)
        if status in ("Installed", "InvalidSignature") or status.endswith("Failed"):
            self.firmware_status = "Idle"

    # --- files ------------------------------------------------------------------------------

    async def upload(self, location: str, name: str, body: bytes, request: Payload | None) -> None:
        """Hand a file over, and say how it went; `request` is that of a GetLog."""
        await self._report_upload("Uploading", request)
        try:
            if UPLOAD in self.faults:
                raise OSError("the modem gave up")
            await asyncio.to_thread(_put, location, name, body)
        except OSError as error:
            self._station.note(f"upload failed: {error}")
            await self._report_upload("UploadFailed", request)
            return
        self._station.note(f"{name} uploaded")
        await self._report_upload("Uploaded", request)

    async def _report_upload(self, status: str, request: Payload | None) -> None:
        self.upload_status = status if status == "Uploading" else "Idle"
        if request is None:
            await self.tell("DiagnosticsStatusNotification", {"status": status})
        else:
            word = "UploadFailure" if status == "UploadFailed" else status
            said = {"status": word, "requestId": request["requestId"]}
            await self.tell("LogStatusNotification", said)

    def diagnostics(self) -> tuple[str, bytes]:
        """Name and bytes of an archive as chargers make them: a log, the settings, the last messages."""
        station = self._station
        packed = io.BytesIO()
        settings = {
            key: s.value for key, s in station.configuration.settings.items() if s.kind != "secret"
        }
        frames = [
            {"at": frame.at.isoformat(), "direction": frame.direction, "frame": frame.text[:2000]}
            for frame in station.journal.frames
            if frame.identity == station.identity
        ]
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("system.log", self._system_log())
            archive.writestr("configuration.json", json.dumps(settings, indent=2))
            archive.writestr("messages.jsonl", _json_lines(frames[-_FRAMES_TOLD:]))
        return f"diagnostics-{self._stamp()}.zip", packed.getvalue()

    def security_log(self) -> tuple[str, bytes]:
        """What concerned its security since it was switched on, one JSON object a line."""
        began = {
            "timestamp": self._station.personality.timestamp(self._station.now()),
            "type": "StartupOfTheDevice",
            "techInfo": f"boot {self._station.memory.boots}",
        }
        return f"security-{self._stamp()}.jsonl", _json_lines([began, *self.events]).encode()

    def _system_log(self) -> str:
        station = self._station
        lines = [
            f"identity {station.identity}",
            f"firmware {station.memory.firmware_version}",
            f"boots {station.memory.boots}",
            f"sessions {station.sessions}, energy {station.energy_wh:.0f} Wh",
            *(
                f"connector {o.connector_id}: {o.status} ({o.error_code}), register {o.register_wh:.0f} Wh"
                for o in station.outlets.values()
            ),
            *(f"{action}: {number}" for action, number in sorted(station.journal.counts.items())),
        ]
        at = station.personality.timestamp(station.now())
        return "".join(f"{at} INFO {line}\n" for line in lines)

    def _stamp(self) -> str:
        return f"{self._station.now():%Y%m%d-%H%M%S}"

    # --- telling ----------------------------------------------------------------------------

    async def tell_event(self, kind: str) -> None:
        """A security event, for the central system and for the log."""
        event = {
            "type": kind,
            "timestamp": self._station.personality.timestamp(self._station.now()),
        }
        self.events.append(event)
        await self.tell("SecurityEventNotification", event)

    async def tell(self, action: str, payload: Payload) -> None:
        """Say it once the central system listens; what was not answered is said again."""
        while True:
            await self._station.wait_until(lambda s: s.ready, None)
            try:
                await self._station.call(action, payload)
            except CallErrorReceived:
                return
            except (ConnectionLost, CallTimeout):
                # The socket may be gone before the station has noticed; whoever switches it off gets a turn.
                await asyncio.sleep(_PAUSE_S)
                continue
            return


# --- commands -----------------------------------------------------------------------------------


def handle_update_firmware(
    station: VirtualStation, payload: Payload
) -> tuple[Payload, FollowUp | None]:
    """The answer is empty; what becomes of it is told later (OCPP 1.6 §5.19)."""
    location, retrieve_at = _text(payload["location"]), _time(payload["retrieveDate"])

    async def begin() -> None:
        station.upkeep.begin_update(station.upkeep.update(location, retrieve_at, None))

    return {}, begin


def handle_signed_update_firmware(
    station: VirtualStation, payload: Payload
) -> tuple[Payload, FollowUp | None]:
    """Whoever signs must have a certificate that can be read and holds now."""
    firmware, _ = payload["firmware"], _number(payload["requestId"])
    location, retrieve_at = _text(firmware["location"]), _time(firmware["retrieveDateTime"])
    _text(firmware["signature"])
    if not _holds(_text(firmware["signingCertificate"])):

        async def tell() -> None:
            await station.upkeep.tell_event("InvalidFirmwareSigningCertificate")

        return {"status": "InvalidCertificate"}, tell
    status = "AcceptedCanceled" if station.upkeep.is_updating else "Accepted"

    async def begin() -> None:
        station.upkeep.begin_update(station.upkeep.update(location, retrieve_at, payload))

    return {"status": status}, begin


def handle_get_diagnostics(
    station: VirtualStation, payload: Payload
) -> tuple[Payload, FollowUp | None]:
    """Without a file name there is nothing to upload (OCPP 1.6 §5.9): so for addresses it cannot reach."""
    location = _text(payload["location"])
    if not _is_web(location):
        return {}, None
    name, body = station.upkeep.diagnostics()

    async def begin() -> None:
        station.upkeep.begin_upload(station.upkeep.upload(location, name, body, None))

    return {"fileName": name}, begin


def handle_get_log(station: VirtualStation, payload: Payload) -> tuple[Payload, FollowUp | None]:
    """A new request ends the upload that is under way."""
    location, _ = _text(payload["log"]["remoteLocation"]), _number(payload["requestId"])
    kind = payload["logType"]
    if kind not in ("DiagnosticsLog", "SecurityLog"):
        raise ValueError(f"no log {kind!r}")
    if not _is_web(location):
        return {"status": "Rejected"}, None
    upkeep = station.upkeep
    name, body = upkeep.security_log() if kind == "SecurityLog" else upkeep.diagnostics()
    status = "AcceptedCanceled" if upkeep.is_uploading else "Accepted"

    async def begin() -> None:
        upkeep.begin_upload(upkeep.upload(location, name, body, payload))

    return {"status": status, "filename": name}, begin


UPKEEP: dict[str, Handler] = {
    "GetDiagnostics": handle_get_diagnostics,
    "GetLog": handle_get_log,
    "SignedUpdateFirmware": handle_signed_update_firmware,
    "UpdateFirmware": handle_update_firmware,
}


# --- the web ----------------------------------------------------------------------------------------


def _is_web(location: str) -> bool:
    return location.startswith(("http://", "https://"))


def _get(location: str) -> bytes:
    return _exchange(urllib.request.Request(location))  # noqa: S310 - its scheme was looked at


def _put(location: str, name: str, body: bytes) -> None:
    """Many chargers add the name of the file to the address that they were given."""
    address = f"{location.rstrip('/')}/{name}"
    request = urllib.request.Request(address, data=body, method="PUT")  # noqa: S310
    request.add_header("Content-Type", "application/octet-stream")
    _exchange(request)


def _exchange(request: urllib.request.Request) -> bytes:
    """The body of a 2xx. Raises OSError for everything else, URLError included."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=_HTTP_TIMEOUT_S) as response:
            content: bytes = response.read(_MAX_IMAGE_BYTES)
    except (HTTPException, ValueError) as error:
        raise OSError(str(error)) from error
    return content


# --- signatures ---------------------------------------------------------------------------------------


def _holds(pem: str) -> bool:
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
    except ValueError:
        return False
    now = datetime.now(UTC)
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc


def _is_signed(content: bytes, firmware: Payload) -> bool:
    """Improved security for OCPP 1.6-J, L01: RSA-PSS, PKCS #1 or ECDSA over SHA-256."""
    key = x509.load_pem_x509_certificate(firmware["signingCertificate"].encode()).public_key()
    sha256 = hashes.SHA256()
    try:
        signature = base64.b64decode(firmware["signature"], validate=True)
    except (binascii.Error, ValueError):
        return False
    if isinstance(key, ec.EllipticCurvePublicKey):
        try:
            key.verify(signature, content, ec.ECDSA(sha256))
        except InvalidSignature:
            return False
        return True
    if not isinstance(key, rsa.RSAPublicKey):
        return False
    for scheme in (padding.PSS(padding.MGF1(sha256), padding.PSS.AUTO), padding.PKCS1v15()):
        try:
            key.verify(signature, content, scheme, sha256)
        except InvalidSignature:
            continue
        return True
    return False


def _json_lines(items: list[Payload]) -> str:
    return "".join(json.dumps(item) + "\n" for item in items)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected a string, got {value!r}")
    return value


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"expected an integer, got {value!r}")
    return value


def _time(value: object) -> datetime:
    moment = datetime.fromisoformat(_text(value).upper())
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
