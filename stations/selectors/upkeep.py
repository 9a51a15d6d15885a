"""Firmware files, updates and log uploads, on behalf of somebody."""

from django.db.models import QuerySet

from accounts.services.actors import Actor
from cms.base.ids import get_by_id
from stations.models import ChargingStation, FirmwareFile, FirmwareUpdate, LogUpload


def firmware_files_for(actor: Actor) -> QuerySet[FirmwareFile]:
    """The operator's firmware, newest first."""
    return FirmwareFile.objects.filter(operator=actor.operator)


def get_firmware_file_for(actor: Actor, public_id: str) -> FirmwareFile:
    """Raises NotFound for another operator's."""
    return get_by_id(firmware_files_for(actor), public_id)


def firmware_updates_for(actor: Actor, station: ChargingStation) -> QuerySet[FirmwareUpdate]:
    """A station's updates, newest first, each with its file and command."""
    return FirmwareUpdate.objects.filter(
        station=station, station__operator=actor.operator
    ).select_related("station", "firmware", "command__created_by")


def get_firmware_update_for(
    actor: Actor, station: ChargingStation, public_id: str
) -> FirmwareUpdate:
    """Raises NotFound for another station's or operator's."""
    return get_by_id(firmware_updates_for(actor, station), public_id)


def log_uploads_for(actor: Actor) -> QuerySet[LogUpload]:
    """What the operator's stations were asked to hand over, newest first."""
    return LogUpload.objects.filter(station__operator=actor.operator).select_related(
        "station", "command__created_by"
    )


def filter_log_uploads(
    uploads: QuerySet[LogUpload],
    *,
    station: str | None = None,
    kind: str | None = None,
    status: str | None = None,
) -> QuerySet[LogUpload]:
    """`station` is an identity."""
    if station is not None:
        uploads = uploads.filter(station__identity=station)
    if kind is not None:
        uploads = uploads.filter(kind=kind)
    if status is not None:
        uploads = uploads.filter(status=status)
    return uploads


def get_log_upload_for(actor: Actor, public_id: str) -> LogUpload:
    """Raises NotFound for another operator's."""
    return get_by_id(log_uploads_for(actor), public_id)
