"""What stations are asked to keep, to do and to hand over: each thing with a life of its own.

Rows are made when something is asked and move when the station answers or reports; see
`stations.commands.following`. Numbers that stations know a thing by come from `stations_wire_id`.
"""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from cms.base.json import ExactJSONField
from stations.choices import (
    FirmwareStatus,
    LogKind,
    LogStatus,
    ProfileStatus,
    ReservationStatus,
)
from stations.models.command import Command
from stations.models.station import ChargingStation
from stations.models.transaction import Transaction


class Reservation(models.Model):
    """An EVSE kept free for one token until a time; `evse_id` 0 is any EVSE of the station.

    requested → reserved → used, expired, cancelled or removed (by the station); or requested → rejected. A station
    holds one reservation of each id.
    """

    operator = models.ForeignKey(
        "accounts.Operator", on_delete=models.CASCADE, related_name="reservations"
    )
    station = models.ForeignKey(
        ChargingStation, on_delete=models.CASCADE, related_name="reservations"
    )
    evse_id = models.PositiveIntegerField()
    reservation_id = models.IntegerField()
    # As the station was told; the token's row may be gone later.
    id_token_uid = models.CharField(max_length=255)
    id_token = models.ForeignKey(
        "accounts.IdToken", on_delete=models.SET_NULL, null=True, related_name="reservations"
    )
    expires_at = models.DateTimeField()
    status = models.CharField(max_length=9, choices=ReservationStatus)
    # The station's word where it refused: Occupied, Faulted, Unavailable, Rejected; or ours as in
    # `stations.services.reservations`.
    reason = models.CharField(max_length=50, db_default="")
    command = models.ForeignKey(Command, on_delete=models.SET_NULL, null=True, related_name="+")
    transaction = models.ForeignKey(
        Transaction, on_delete=models.SET_NULL, null=True, related_name="reservations"
    )
    created_at = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["station", "reservation_id"],
                condition=Q(status="reserved"),
                name="stations_reservation_id_unique",
            ),
            models.CheckConstraint(
                condition=Q(status__in=ReservationStatus.values),
                name="stations_reservation_status_known",
            ),
            models.CheckConstraint(
                condition=Q(status__in=["requested", "reserved"]) | Q(ended_at__isnull=False),
                name="stations_ended_reservation_has_time",
            ),
        ]
        indexes: ClassVar = [
            # The sweep that ends what has expired.
            models.Index(
                fields=["expires_at"],
                name="stations_reservation_open",
                condition=Q(status__in=["requested", "reserved"]),
            ),
        ]

    def __str__(self) -> str:
        return f"reservation {self.reservation_id} at {self.station_id}/{self.evse_id}"


class ChargingProfile(models.Model):
    """A charging profile in an operator's library: `profile` is OCPP 2.0.1's ChargingProfileType without its id."""

    operator = models.ForeignKey(
        "accounts.Operator", on_delete=models.CASCADE, related_name="charging_profiles"
    )
    name = models.CharField(max_length=100)
    profile = ExactJSONField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering: ClassVar = ["name", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["operator", "name"], name="stations_charging_profile_name_unique"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class InstalledProfile(models.Model):
    """A charging profile at a station, in OCPP 2.0.1's words; `evse_id` 0 is the whole station.

    requested → installed → cleared or replaced; or requested → rejected. A station holds one profile of each id,
    and one for each (purpose, stack level, EVSE).
    """

    station = models.ForeignKey(
        ChargingStation, on_delete=models.CASCADE, related_name="installed_profiles"
    )
    library_profile = models.ForeignKey(
        ChargingProfile, on_delete=models.SET_NULL, null=True, related_name="installations"
    )
    evse_id = models.PositiveIntegerField()
    profile_id = models.IntegerField()
    purpose = models.CharField(max_length=40)
    stack_level = models.IntegerField()
    transaction = models.ForeignKey(
        Transaction, on_delete=models.SET_NULL, null=True, related_name="charging_profiles"
    )
    profile = ExactJSONField()
    status = models.CharField(max_length=9, choices=ProfileStatus)
    # Why it is not there (any more): the station's word, or ours as in `stations.services.charging_profiles`.
    reason = models.CharField(max_length=50, db_default="")
    command = models.ForeignKey(Command, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    installed_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["station", "profile_id"],
                condition=Q(status="installed"),
                name="stations_installed_profile_id_unique",
            ),
            models.UniqueConstraint(
                fields=["station", "evse_id", "purpose", "stack_level"],
                condition=Q(status="installed"),
                name="stations_installed_profile_place_unique",
            ),
            models.CheckConstraint(
                condition=Q(status__in=ProfileStatus.values),
                name="stations_installed_profile_status_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.purpose} {self.profile_id} at {self.station_id}/{self.evse_id}"


class LocalList(models.Model):
    """The local authorisation list as the station last accepted it.

    `version` is -1 where the station says that it keeps none, null while nobody knows. `entries` are as sent, each
    `{idTag, idTagInfo}`; null where the station told a version that we did not send.
    """

    station = models.OneToOneField(
        ChargingStation, on_delete=models.CASCADE, primary_key=True, related_name="local_list"
    )
    version = models.IntegerField(null=True)
    entries = ExactJSONField(null=True)
    # What came of the last request where it was not accepted: Failed, NotSupported, VersionMismatch, a CALLERROR's
    # code, or ours as in `stations.services.local_lists`.
    refusal = models.CharField(max_length=50, db_default="")
    # What is on its way in parts: `{"command": id of the part that is out, "target": entries, "retried": bool}`.
    under_way = ExactJSONField(null=True)
    changed_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"{self.station_id}: version {self.version}"


class StationVariable(models.Model):
    """One setting as the station last told it. 1.6 knows no components: `component` is empty.

    `value` is null where the station gave none; credentials are never kept.
    """

    station = models.ForeignKey(ChargingStation, on_delete=models.CASCADE, related_name="variables")
    component = models.CharField(max_length=120, db_default="")
    variable = models.CharField(max_length=120)
    value = models.TextField(null=True)  # noqa: DJ001 - none given is not empty
    readonly = models.BooleanField(null=True)
    # Accepted by the station, and to be read back only after its restart.
    pending_reboot = models.BooleanField(db_default=False)
    at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["component", "variable"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["station", "component", "variable"], name="stations_variable_unique"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.component}.{self.variable}".lstrip(".")


class FirmwareFile(models.Model):
    """A firmware image that stations can fetch from us; the bytes lie in `FILES_DIR` under its sha256."""

    operator = models.ForeignKey(
        "accounts.Operator", on_delete=models.CASCADE, related_name="firmware_files"
    )
    name = models.CharField(max_length=255)
    version = models.CharField(max_length=50)
    vendor = models.CharField(max_length=50, blank=True)
    model = models.CharField(max_length=50, blank=True)
    size_bytes = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)
    # For signed updates (Improved security for OCPP 1.6-J, §4): PEM, and the signature in base64.
    signing_certificate = models.TextField(blank=True)
    signature = models.TextField(blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering: ClassVar = ["-id"]

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


class FirmwareUpdate(models.Model):
    """A station's way to another firmware.

    `history` is `[{status, at}]` as reported, oldest first; a boot on the way is `{status: "Booted", at, version}`.
    `location` is where the station was sent; the secret of a link of ours is kept as SHA-256 in `token_hash` only.
    """

    station = models.ForeignKey(
        ChargingStation, on_delete=models.CASCADE, related_name="firmware_updates"
    )
    firmware = models.ForeignKey(
        FirmwareFile, on_delete=models.PROTECT, null=True, related_name="updates"
    )
    # 1.6's UpdateFirmware has no id on the wire; ours then.
    request_id = models.IntegerField()
    is_signed = models.BooleanField(default=False)
    location = models.TextField()
    token_hash = models.CharField(max_length=64, db_default="")
    retrieve_at = models.DateTimeField()
    status = models.CharField(max_length=30, choices=FirmwareStatus)
    history = ExactJSONField(default=list)
    # What the station called its firmware before, and in its first boot afterwards.
    version_before = models.CharField(max_length=50, db_default="")
    version_after = models.CharField(max_length=50, db_default="")
    # Whether the next boot tells what became of it; the hot path asks this of every boot.
    awaits_boot = models.BooleanField(db_default=False)
    command = models.ForeignKey(Command, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["station", "request_id"], name="stations_firmware_request_unique"
            ),
            # One at a time: what a 1.6 station reports carries no id to tell two apart. One that is only asked
            # for may wait beside it; the station may refuse it and go on with the first.
            models.UniqueConstraint(
                fields=["station"],
                condition=Q(finished_at__isnull=True) & ~Q(status="Requested"),
                name="stations_one_firmware_update",
            ),
            models.UniqueConstraint(
                fields=["token_hash"],
                condition=~Q(token_hash=""),
                name="stations_firmware_token_unique",
            ),
        ]
        indexes: ClassVar = [
            # What a boot looks for, and the sweep.
            models.Index(
                fields=["station"],
                name="stations_firmware_awaits_boot",
                condition=Q(awaits_boot=True),
            ),
            models.Index(
                fields=["created_at"],
                name="stations_firmware_open",
                condition=Q(finished_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"firmware update {self.request_id} of {self.station_id}"


class LogUpload(models.Model):
    """A file that a station was asked to hand over, by a link that works once.

    The bytes lie in `FILES_DIR` under `sha256` once they have arrived. `token_hash` is SHA-256 of the link's
    secret part; empty where somebody sent the file elsewhere, to `location`. `history` is `[{status, at}]` as
    reported, oldest first.
    """

    station = models.ForeignKey(
        ChargingStation, on_delete=models.CASCADE, related_name="log_uploads"
    )
    kind = models.CharField(max_length=11, choices=LogKind)
    request_id = models.IntegerField()
    token_hash = models.CharField(max_length=64, db_default="")
    location = models.TextField(db_default="")
    status = models.CharField(max_length=20, choices=LogStatus)
    history = ExactJSONField(default=list)
    # The station's own last word.
    reported_status = models.CharField(max_length=30, db_default="")
    # As the station calls it.
    file_name = models.CharField(max_length=255, db_default="")
    content_type = models.CharField(max_length=100, db_default="")
    size_bytes = models.BigIntegerField(null=True)
    sha256 = models.CharField(max_length=64, db_default="")
    command = models.ForeignKey(Command, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    received_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["station", "request_id"], name="stations_log_request_unique"
            ),
            models.UniqueConstraint(
                fields=["token_hash"],
                condition=~Q(token_hash=""),
                name="stations_log_token_unique",
            ),
        ]
        indexes: ClassVar = [
            # The sweep that ends what never arrived.
            models.Index(
                fields=["expires_at"],
                name="stations_log_open",
                condition=Q(finished_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} log {self.request_id} of {self.station_id}"
