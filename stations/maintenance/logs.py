"""Diagnostics and logs that stations are asked to hand over.

A row of `LogUpload` is made with the command that asks, however it was asked. It moves with the command's outcome, with
what the station reports and, above all of that, with the file itself when it arrives at the link.
"""

import mimetypes
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.services.actors import Actor
from cms.base.errors import Conflict, NotFound
from cms.base.time import rfc3339
from stations.choices import LogKind, LogStatus
from stations.commands.wire_ids import next_wire_id
from stations.maintenance.files import StoredFile, safe_name
from stations.maintenance.history import (
    add_report,
    check_request_id,
    lock_jobs,
    tell_pages,
    was_reported,
)
from stations.maintenance.links import hash_secret, mask_location, new_secret, upload_address
from stations.models import ChargingStation, Command, LogUpload
from stations.services.commands import queue_command

# A command waits a day for its station at most; then the station has a day to upload.
LINK_LIFETIME = timedelta(hours=48)

_RANK = {LogStatus.REQUESTED: 0, LogStatus.ACCEPTED: 1, LogStatus.UPLOADING: 2}
# Over as far as we know, until the station says otherwise.
_PRESUMED = (LogStatus.UNANSWERED, LogStatus.NOTHING, LogStatus.EXPIRED)
# The station was told not to, or never asked, or does not want to.
_CLOSED = (LogStatus.CANCELLED, LogStatus.REFUSED, LogStatus.NOT_SENT)


# --- asking ------------------------------------------------------------------------------------------


def request_diagnostics(
    *,
    acting: Actor,
    station: ChargingStation,
    from_at: datetime | None = None,
    to_at: datetime | None = None,
) -> LogUpload:
    """Ask for the file that a station's maker reads, of a span of time if given.

    Raises:
        Conflict: as `queue_command`.

    Source: OCPP 1.6 §5.9.
    """
    span = {"startTime": from_at, "stopTime": to_at}
    given = {name: rfc3339(moment) for name, moment in span.items() if moment is not None}
    return _request(
        acting, station, "GetDiagnostics", lambda address: {"location": address, **given}
    )


def request_log(
    *,
    acting: Actor,
    station: ChargingStation,
    kind: str,
    from_at: datetime | None = None,
    to_at: datetime | None = None,
) -> LogUpload:
    """Ask for the security log, or for diagnostics of a station that knows GetLog.

    Raises:
        Conflict: as `queue_command`.

    Source: Improved security for OCPP 1.6-J, §4.5.
    """
    span = {"oldestTimestamp": from_at, "latestTimestamp": to_at}
    given = {name: rfc3339(moment) for name, moment in span.items() if moment is not None}
    return _request(
        acting,
        station,
        "GetLog",
        lambda address: {
            "logType": "SecurityLog" if kind == LogKind.SECURITY else "DiagnosticsLog",
            "log": {"remoteLocation": address, **given},
        },
    )


@transaction.atomic
def _request(acting: Actor, station: ChargingStation, action: str, payload: Any) -> LogUpload:
    secret = new_secret()
    command = queue_command(
        station=station, action=action, payload=payload(upload_address(secret)), acting=acting
    )
    upload = LogUpload.objects.select_related("station").get(command=command)
    # It comes to us: the address is no news, and its secret is nobody's business.
    upload.token_hash, upload.location = hash_secret(secret), ""
    upload.save(update_fields=["token_hash", "location"])
    return upload


def note_log_requested(
    *, command: Command, kind: str, location: str, request_id: int | None = None
) -> LogUpload:
    """The row of a file that a queued command asks for; in the command's transaction.

    Raises:
        Invalid, Conflict: the `request_id` cannot be used; None takes a new one.
    """
    if request_id is None:
        request_id = next_wire_id()
    else:
        check_request_id(LogUpload.objects.all(), command, request_id)
    upload = LogUpload.objects.create(
        station=command.station,
        kind=kind,
        request_id=request_id,
        location=mask_location(location),
        status=LogStatus.REQUESTED,
        command=command,
        expires_at=timezone.now() + LINK_LIFETIME,
    )
    upload.refresh_from_db(fields=["created_at"])
    tell_pages(command.station_id)
    return upload


# --- the answer --------------------------------------------------------------------------------------


@transaction.atomic
def settle_log_request(
    *,
    command: Command,
    status: str,
    file_name: str = "",
    said: str = "",
    cancels_others: bool = False,
) -> None:
    """The command's end: accepted, nothing, refused, unanswered or not_sent. Idempotent.

    `said` is the station's word where it refused. A report or the file itself may have come first; then the answer
    only adds the file's name. `cancels_others` ends the station's earlier uploads of the same kind of request.
    """
    if not lock_jobs(command.station_id):
        return
    upload = LogUpload.objects.filter(command=command).first()
    if upload is None:
        return
    if file_name and not upload.file_name:
        upload.file_name = safe_name(file_name)[:255]
    if upload.status in (LogStatus.REQUESTED, LogStatus.UNANSWERED):
        _move(upload, LogStatus(status))
        if said:
            upload.reported_status = said[:30]
    upload.save()
    if cancels_others and status == LogStatus.ACCEPTED:
        earlier = LogUpload.objects.filter(
            station_id=command.station_id,
            pk__lt=upload.pk,
            finished_at__isnull=True,
            command__action=command.action,
        )
        earlier.update(status=LogStatus.CANCELLED, finished_at=timezone.now())
    tell_pages(command.station_id)


def _move(upload: LogUpload, status: LogStatus) -> None:
    upload.status = status
    upload.finished_at = None if status in _RANK else timezone.now()


# --- what the station reports ------------------------------------------------------------------------


@transaction.atomic
def report_log_status(
    *,
    station_id: int,
    action: str,
    request_id: int | None,
    reported: str,
    status: str | None,
    at: datetime,
) -> None:
    """Note what a station says about an upload. Idempotent.

    `action` is what was asked with, `request_id` None where the station names none: then it means the newest one
    that is under way, else the newest. `status` is uploading, uploaded or failed; None moves nothing. A finished
    upload stays as it is, unless we had only given it up.
    """
    if not lock_jobs(station_id):
        return
    rows = LogUpload.objects.filter(station_id=station_id, command__action=action)
    if was_reported(rows, reported, at):
        return
    upload = _reported_on(rows, request_id)
    if upload is None or not add_report(upload.history, reported, at):
        return
    if status is not None:
        new = LogStatus(status)
        is_open = upload.status in _RANK
        if is_open or upload.status in _PRESUMED:
            upload.reported_status = reported[:30]
            if _RANK.get(new, 9) >= _RANK.get(LogStatus(upload.status), 0):
                _move(upload, new)
    upload.save()
    tell_pages(station_id)


def _reported_on(rows: QuerySet[LogUpload], request_id: int | None) -> LogUpload | None:
    if request_id is not None:
        return rows.filter(request_id=request_id).first()
    under_way = rows.filter(finished_at__isnull=True).exclude(command__sent_at__isnull=True)
    return under_way.order_by("-pk").first() or rows.order_by("-pk").first()


# --- the file ----------------------------------------------------------------------------------------

_CAN_RECEIVE = Q(received_at__isnull=True) & ~Q(status__in=_CLOSED)


def find_awaited_upload(secret: str) -> LogUpload:
    """The upload that a link is for, while it is good.

    Raises:
        NotFound: no such link, used, expired, or its request was refused or replaced.
    """
    upload = LogUpload.objects.filter(
        _CAN_RECEIVE, token_hash=hash_secret(secret), expires_at__gt=timezone.now()
    ).first()
    if upload is None:
        raise NotFound("There is nothing at this address.")
    return upload


@transaction.atomic
def receive_log(
    *, upload: LogUpload, stored: StoredFile, name: str = "", content_type: str = ""
) -> None:
    """The file of an upload has arrived whole; its link is used up.

    `name` is what the station called it in the address; its answer to the request names it better.

    Raises:
        Conflict: another file was faster, or the link lapsed meanwhile.
    """
    if not lock_jobs(upload.station_id):
        raise Conflict("The station is gone.")
    row = LogUpload.objects.filter(
        _CAN_RECEIVE, pk=upload.pk, expires_at__gt=timezone.now()
    ).first()
    if row is None:
        raise Conflict("This link was used already.", code="link_used")
    row.sha256, row.size_bytes, row.received_at = stored.sha256, stored.size_bytes, timezone.now()
    row.file_name = row.file_name or safe_name(name, fallback="")[:255]
    guessed, _ = mimetypes.guess_type(row.file_name)
    row.content_type = (guessed or content_type.partition(";")[0].strip())[:100]
    _move(row, LogStatus.UPLOADED)
    row.save()
    tell_pages(row.station_id)


# --- sweep -------------------------------------------------------------------------------------------


def sweep_log_uploads() -> int:
    """End what did not arrive while its link was good; returns how many. Idempotent."""
    late = LogUpload.objects.filter(finished_at__isnull=True, expires_at__lte=timezone.now())
    ended = 0
    for pk, station_id in list(late.values_list("pk", "station_id")):
        with transaction.atomic():
            changed = LogUpload.objects.filter(pk=pk, finished_at__isnull=True).update(
                status=LogStatus.EXPIRED, finished_at=timezone.now()
            )
            if changed:
                tell_pages(station_id)
        ended += changed
    return ended
