"""Firmware and files of a station, at every stage that looks different."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from cms.base.time import rfc3339
from stations.choices import FirmwareStatus, LogStatus
from stations.maintenance.files import store_chunks
from stations.models import ChargingStation, LogUpload
from tests.factories import make_firmware_file, make_firmware_update, make_log_upload

EVENTS = "".join(
    f'{{"timestamp":"2026-11-24T0{n}:00:00Z","type":"ResetOrReboot","techInfo":"boot {n}"}}\n'
    for n in range(9)
).encode()


def make_received(station: ChargingStation, body: bytes, **fields: Any) -> LogUpload:
    """A file that has arrived."""
    stored = store_chunks([body], max_bytes=len(body))
    now = timezone.now()
    defaults = {
        "status": LogStatus.UPLOADED,
        "sha256": stored.sha256,
        "size_bytes": stored.size_bytes,
        "file_name": "security.jsonl",
        "received_at": now,
        "finished_at": now,
    }
    return make_log_upload(station, **(defaults | fields))


def add_upkeep(station: ChargingStation) -> LogUpload:
    """An update that failed, one that runs, files asked for; the one that is here."""
    now = timezone.now()
    make_firmware_update(
        station,
        status=FirmwareStatus.DOWNLOAD_FAILED,
        finished_at=now,
        history=[{"status": "DownloadFailed", "at": rfc3339(now)}],
    )
    steps = ("Downloading", "Downloaded", "Installing")
    make_firmware_update(
        station,
        firmware=make_firmware_file(station.operator),
        status=FirmwareStatus.INSTALLING,
        history=[
            {"status": status, "at": rfc3339(now + timedelta(seconds=n))}
            for n, status in enumerate(steps)
        ],
    )
    make_log_upload(station, status=LogStatus.UPLOADING, file_name="diagnostics.zip")
    make_log_upload(
        station,
        status=LogStatus.FAILED,
        reported_status="PermissionDenied",
        finished_at=now,
    )
    return make_received(station, EVENTS, kind="security")
