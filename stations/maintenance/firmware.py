"""Firmware: the files that an operator keeps, and each station's way from one version to another.

A row of `FirmwareUpdate` is made with the command that asks, however it was asked; it moves with the command's outcome
and with what the station reports, forwards only. The first boot afterwards tells which version it was.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.services.actors import Actor
from accounts.services.audit import record_audit
from accounts.services.permissions import require
from cms.base import outbox
from cms.base.errors import Conflict, Invalid, NotFound
from cms.base.time import rfc3339
from stations.choices import FirmwareStatus as Status
from stations.commands.wire_ids import next_wire_id
from stations.maintenance.files import StoredFile, open_file, safe_name
from stations.maintenance.history import (
    add_report,
    check_request_id,
    lock_jobs,
    tell_pages,
    was_reported,
)
from stations.maintenance.links import firmware_address, hash_secret, mask_location, new_secret
from stations.maintenance.signatures import check_signature
from stations.models import ChargingStation, Command, FirmwareFile, FirmwareUpdate, StationState
from stations.services.commands import queue_command

# OCPP 1.6 §5.19 leaves the scheme open; these are what chargers speak.
SCHEMES = ("https", "http", "ftp", "ftps", "sftp")
# A station that has said nothing for so long after it was to begin says nothing any more.
SILENCE = timedelta(hours=24)
LOCATION_MAX = 512

# The way of an update. Beside these there are only ends.
_RANK = {
    Status.REQUESTED: 0,
    Status.ACCEPTED: 1,
    Status.DOWNLOAD_SCHEDULED: 2,
    Status.DOWNLOADING: 3,
    Status.DOWNLOAD_PAUSED: 3,
    Status.DOWNLOADED: 4,
    Status.SIGNATURE_VERIFIED: 5,
    Status.INSTALL_SCHEDULED: 6,
    Status.INSTALLING: 7,
    Status.INSTALL_REBOOTING: 8,
}
_END = 9
# Over as far as we know, until the station says otherwise.
_PRESUMED = (Status.UNANSWERED, Status.EXPIRED)
_BOOT_TELLS = (Status.INSTALLING, Status.INSTALL_REBOOTING, Status.INSTALLED)


# --- files ---------------------------------------------------------------------------------------------


@transaction.atomic
def create_firmware_file(
    *,
    acting: Actor,
    stored: StoredFile,
    name: str,
    version: str,
    vendor: str = "",
    model: str = "",
    signing_certificate: str = "",
    signature: str = "",
) -> FirmwareFile:
    """Keep a firmware image whose bytes are in the store.

    For signed updates the maker gives a certificate (PEM) and a signature (base64), which must fit the bytes.

    Raises:
        NotAllowed: the role may not change stations.
        Invalid: the file is empty, or the signature is not of this file.
    """
    require(acting, "stations.change")
    if stored.size_bytes == 0:
        raise Invalid.fields({"file": [_("The file is empty.")]})
    if signing_certificate or signature:
        check_signature(
            sha256=stored.sha256, signing_certificate=signing_certificate, signature=signature
        )
    row = FirmwareFile.objects.create(
        operator=acting.operator,
        name=safe_name(name, fallback="firmware.bin"),
        version=version,
        vendor=vendor,
        model=model,
        size_bytes=stored.size_bytes,
        sha256=stored.sha256,
        signing_certificate=signing_certificate.strip(),
        signature="".join(signature.split()),
    )
    row.refresh_from_db(fields=["created_at"])
    record_audit(
        actor=acting,
        action="firmware_file.create",
        obj=row,
        after={"name": row.name, "version": version, "sha256": row.sha256},
    )
    return row


# --- asking ------------------------------------------------------------------------------------------


@transaction.atomic
def request_firmware_update(
    *,
    acting: Actor,
    station: ChargingStation,
    firmware: FirmwareFile | None = None,
    location: str = "",
    retrieve_at: datetime | None = None,
    signed: bool = False,
    signing_certificate: str = "",
    signature: str = "",
) -> FirmwareUpdate:
    """Send a station to fetch and install a firmware: one of our files, or what lies at `location`.

    Without `retrieve_at` it is to begin at once. A signed update needs the maker's certificate and signature; those of
    one of our files come with it. One that is under way goes on until the station takes the new one.

    Raises:
        Invalid: the location is none that stations can fetch from, or a signed update lacks what it needs.
        Conflict: as `queue_command`.

    Source: OCPP 1.6 §5.19; Improved security for OCPP 1.6-J, §4.7 (SignedUpdateFirmware).
    """
    secret = ""
    action: str
    payload: dict[str, Any]
    if firmware is not None:
        _check_bytes(firmware)
        secret = new_secret()
        location = firmware_address(secret, firmware.name)
        signing_certificate, signature = firmware.signing_certificate, firmware.signature
    else:
        _check_location(location)
    when = rfc3339(retrieve_at or timezone.now())
    if signed:
        if not (signing_certificate and signature):
            raise Invalid.fields(
                {"signed": [_("A signed update needs the maker's certificate and signature.")]}
            )
        described = {
            "location": location,
            "retrieveDateTime": when,
            "signingCertificate": signing_certificate,
            "signature": signature,
        }
        action, payload = "SignedUpdateFirmware", {"firmware": described}
    else:
        action, payload = "UpdateFirmware", {"location": location, "retrieveDate": when}
    command = queue_command(station=station, action=action, payload=payload, acting=acting)
    update = FirmwareUpdate.objects.select_related("station").get(command=command)
    if firmware is not None:
        update.firmware, update.token_hash = firmware, hash_secret(secret)
        update.save(update_fields=["firmware", "token_hash"])
    return update


def _check_bytes(firmware: FirmwareFile) -> None:
    try:
        open_file(firmware.sha256).close()
    except FileNotFoundError as error:
        raise Conflict(_("The bytes of this firmware are missing; upload it again.")) from error


def _check_location(location: str) -> None:
    try:
        parts = urlsplit(location)
        fits = parts.scheme in SCHEMES and bool(parts.hostname) and len(location) <= LOCATION_MAX
    except ValueError:
        fits = False
    if not fits or any(c.isspace() or not c.isprintable() for c in location):
        sentence = _("Give an address of at most %(most)s characters with %(schemes)s.")
        told = sentence % {"most": LOCATION_MAX, "schemes": ", ".join(SCHEMES)}
        raise Invalid.fields({"location": [told]})


def note_update_requested(
    *,
    command: Command,
    location: str,
    retrieve_at: datetime,
    is_signed: bool,
    request_id: int | None = None,
) -> FirmwareUpdate:
    """The row of an update that a queued command asks for; in the command's transaction.

    Raises:
        Invalid, Conflict: the `request_id` cannot be used; None takes a new one.
    """
    if request_id is None:
        request_id = next_wire_id()
    else:
        check_request_id(FirmwareUpdate.objects.all(), command, request_id)
    state = StationState.objects.filter(station=command.station).first()
    update = FirmwareUpdate.objects.create(
        station=command.station,
        request_id=request_id,
        is_signed=is_signed,
        location=mask_location(location),
        retrieve_at=retrieve_at,
        status=Status.REQUESTED,
        version_before=state.firmware_version if state else "",
        command=command,
    )
    update.refresh_from_db(fields=["created_at"])
    tell_pages(command.station_id)
    return update


# --- the answer --------------------------------------------------------------------------------------


@transaction.atomic
def settle_update_request(*, command: Command, status: str, said: str = "") -> None:
    """The command's end: Accepted, Refused, Unanswered or NotSent. Idempotent.

    `said` is the station's word where it refused; it goes into the history. An update that is taken ends the one that
    was under way. A report may have come before the answer; then the update is further on already.
    """
    if not lock_jobs(command.station_id):
        return
    update = FirmwareUpdate.objects.filter(command=command).first()
    if update is None or update.status not in (Status.REQUESTED, Status.UNANSWERED):
        return
    if status == Status.ACCEPTED:
        if _newer_under_way(update):
            _move(update, Status.SUPERSEDED)
        else:
            _supersede_others(update)
            _move(update, Status.ACCEPTED)
    elif update.status == Status.REQUESTED or status != Status.UNANSWERED:
        _move(update, Status(status))
        if said:
            add_report(update.history, said, command.finished_at or timezone.now())
    update.save()
    tell_pages(command.station_id)


def _newer_under_way(update: FirmwareUpdate) -> bool:
    """The answers' follow-ups may be worked off in another order than the answers came."""
    newer = FirmwareUpdate.objects.filter(station_id=update.station_id, pk__gt=update.pk)
    return newer.exclude(
        status__in=(Status.REQUESTED, Status.REFUSED, Status.UNANSWERED, Status.NOT_SENT)
    ).exists()


def _supersede_others(update: FirmwareUpdate) -> None:
    """What this station was doing before, it does no more; only the newest may learn from a boot."""
    others = FirmwareUpdate.objects.filter(station_id=update.station_id).exclude(pk=update.pk)
    others.filter(finished_at__isnull=True).exclude(status=Status.REQUESTED).update(
        status=Status.SUPERSEDED, finished_at=timezone.now()
    )
    others.filter(awaits_boot=True).update(awaits_boot=False)


def _move(update: FirmwareUpdate, status: Status) -> None:
    update.status = status
    if status in _RANK:
        update.finished_at = None
    else:
        update.finished_at = timezone.now()
    if status in _BOOT_TELLS:
        # A boot while it was installing may have told already.
        known = update.version_after not in ("", update.version_before)
        update.awaits_boot = not (status == Status.INSTALLED and known)
    else:
        update.awaits_boot = False


# --- what the station reports ------------------------------------------------------------------------


@transaction.atomic
def report_firmware_status(
    *, station_id: int, is_signed: bool, request_id: int | None, status: str, at: datetime
) -> None:
    """Note what a station says about its update. Idempotent.

    Without a `request_id` it means the one that is under way, else the newest. Everything is kept in the history;
    the update moves forwards only, and a finished one not at all, unless we had only given it up. `Idle` moves nothing.

    Source: OCPP 1.6 §4.5, §7.25; Improved security for OCPP 1.6-J, §5 (FirmwareStatusEnumType).
    """
    if not lock_jobs(station_id):
        return
    rows = FirmwareUpdate.objects.filter(station_id=station_id, is_signed=is_signed)
    if was_reported(rows, status, at):
        return
    update = _reported_on(rows, request_id)
    if update is None or not add_report(update.history, status, at):
        return
    current = Status(update.status)
    if status in Status.values and (current in _RANK or current in _PRESUMED):
        new = Status(status)
        reopens = current in _PRESUMED and not _newer_under_way(update)
        if reopens or (current in _RANK and _RANK.get(new, _END) >= _RANK[current]):
            if current == Status.REQUESTED or reopens:
                _supersede_others(update)
            _move(update, new)
    update.save()
    tell_pages(station_id)


def _reported_on(rows: QuerySet[FirmwareUpdate], request_id: int | None) -> FirmwareUpdate | None:
    if request_id is not None:
        return rows.filter(request_id=request_id).first()
    # What was taken last, whether or not its answer was worked off yet; else what is under way.
    taken = rows.filter(command__status="accepted", finished_at__isnull=True)
    sent = rows.filter(finished_at__isnull=True).exclude(command__status__in=("queued",))
    for candidates in (taken, sent.exclude(status=Status.REQUESTED), sent, rows):
        if found := candidates.order_by("-pk").first():
            return found
    return None


@outbox.handler("station.firmware_booted")
@transaction.atomic
def on_firmware_booted(key: str, payload: Mapping[str, Any]) -> None:
    """The station of an update booted and said which firmware it runs now. Idempotent.

    The writer of boots writes this for updates that wait for one. Until it has said Installed, a later boot may know
    better.
    """
    found = FirmwareUpdate.objects.filter(pk=key).values_list("station_id", flat=True).first()
    if found is None or not lock_jobs(found):
        return
    update = FirmwareUpdate.objects.get(pk=key)
    at, version = datetime.fromisoformat(payload["at"]), str(payload["version"])
    if not update.awaits_boot or not add_report(update.history, "Booted", at, version=version):
        return
    update.version_after = version
    if update.status == Status.INSTALLED:
        update.awaits_boot = False
    update.save()
    tell_pages(update.station_id)


# --- the file on its way to a station -----------------------------------------------------------------


def find_offered_firmware(secret: str) -> FirmwareFile:
    """The file that a link is for, while its update is under way.

    Raises:
        NotFound: no such link, or its update is over.
    """
    update = (
        FirmwareUpdate.objects.filter(token_hash=hash_secret(secret), firmware__isnull=False)
        .select_related("firmware")
        .first()
    )
    is_good = update is not None and (update.finished_at is None or update.status in _PRESUMED)
    if update is None or update.firmware is None or not is_good:
        raise NotFound("There is nothing at this address.")
    return update.firmware


# --- sweep -------------------------------------------------------------------------------------------


def sweep_firmware_updates() -> int:
    """End updates of which nothing was heard for `SILENCE`; returns how many. Idempotent."""
    now = timezone.now()
    quiet = FirmwareUpdate.objects.filter(
        finished_at__isnull=True, created_at__lt=now - SILENCE, retrieve_at__lt=now - SILENCE
    ).select_related("command")
    ended = 0
    for found in list(quiet):
        with transaction.atomic():
            if not lock_jobs(found.station_id):
                continue
            update = FirmwareUpdate.objects.select_related("command").get(pk=found.pk)
            if update.finished_at is not None or _heard_of(update) > now - SILENCE:
                continue
            # A command that waits for its station ends by itself, and then this does.
            if update.command is not None and update.command.finished_at is None:
                continue
            is_unanswered = update.status == Status.REQUESTED
            _move(update, Status.UNANSWERED if is_unanswered else Status.EXPIRED)
            update.save()
            tell_pages(update.station_id)
            ended += 1
    return ended


def _heard_of(update: FirmwareUpdate) -> datetime:
    moments = [datetime.fromisoformat(entry["at"]) for entry in update.history]
    return max([update.created_at, update.retrieve_at, *moments])
