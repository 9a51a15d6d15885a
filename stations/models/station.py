"""What stands where, and what it last said of itself."""

from typing import ClassVar

from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Now

from stations.choices import RegistrationStatus, SecurityProfile

IDENTITY_PATTERN = r"[A-Za-z0-9*_=+|@. -]{1,48}"
# Crockford's base 32: no I, L, O or U, so that nobody misreads a label.
CODE_PATTERN = r"^[0-9A-HJKMNP-TV-Z]{8}$"
validate_identity = RegexValidator(
    rf"\A{IDENTITY_PATTERN}\Z",
    "An identity has 1 to 48 characters out of letters, digits, blank and * _ = + | @ . -",
)


class Location(models.Model):
    """A site with stations (OCPI 2.2.1 §8.3.1, Location)."""

    operator = models.ForeignKey(
        "accounts.Operator", on_delete=models.CASCADE, related_name="locations"
    )
    name = models.CharField(max_length=255)
    address = models.CharField(max_length=45, blank=True)
    city = models.CharField(max_length=45, blank=True)
    postal_code = models.CharField(max_length=10, blank=True)
    country = models.CharField(max_length=2, blank=True, help_text="ISO 3166-1, two letters.")
    latitude = models.DecimalField(max_digits=10, decimal_places=7, null=True, blank=True)
    longitude = models.DecimalField(max_digits=10, decimal_places=7, null=True, blank=True)
    time_zone = models.CharField(max_length=64, default="UTC", help_text="IANA name.")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering: ClassVar = ["name", "id"]

    def __str__(self) -> str:
        return self.name


class ChargingStation(models.Model):
    """A physical system with one OCPP connection; `identity` is its name on the wire.

    What the station reports of itself is in `StationState`, which only gateways write.
    """

    operator = models.ForeignKey(
        "accounts.Operator", on_delete=models.CASCADE, related_name="stations"
    )
    location = models.ForeignKey(
        Location, on_delete=models.SET_NULL, null=True, blank=True, related_name="stations"
    )
    identity = models.CharField(max_length=48, validators=[validate_identity])
    name = models.CharField(max_length=120, blank=True)
    registration_status = models.CharField(
        max_length=10, choices=RegistrationStatus, default=RegistrationStatus.ACCEPTED
    )
    security_profile = models.PositiveSmallIntegerField(
        choices=SecurityProfile, default=SecurityProfile.BASIC
    )
    # What the station was asked to rise to, until it has signed in that way (services.security_profiles).
    offered_security_profile = models.PositiveSmallIntegerField(
        choices=SecurityProfile, null=True, blank=True, editable=False
    )
    # Salted HMAC or a slow hash, see stations.services.passwords. The previous one is accepted until
    # `previous_password_until`, while the answer to a rotation is not known.
    password_hash = models.CharField(max_length=255, blank=True, editable=False)
    previous_password_hash = models.CharField(max_length=255, blank=True, editable=False)
    previous_password_until = models.DateTimeField(null=True, blank=True, editable=False)
    accepts_literal_hex = models.BooleanField(
        default=False, help_text="Also accepts the key's hexadecimal digits sent as text."
    )
    assumes_ocpp16 = models.BooleanField(
        default=False, help_text="Speaks OCPP 1.6 without naming a subprotocol."
    )
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["identity"], name="stations_identity_unique"),
            models.CheckConstraint(
                condition=models.Q(identity__regex=rf"^{IDENTITY_PATTERN}$"),
                name="stations_identity_well_formed",
            ),
            models.CheckConstraint(
                condition=models.Q(registration_status__in=RegistrationStatus.values),
                name="stations_registration_status_known",
            ),
            models.CheckConstraint(
                condition=models.Q(security_profile__in=SecurityProfile.values),
                name="stations_security_profile_known",
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.identity


class StationState(models.Model):
    """What a station said of itself and whether it is connected. Written by gateways only.

    `generation` counts the station's accepted sockets; whatever carries an older one is stale. A
    station is online while `connected` and its gateway's lease has not run out.
    """

    station = models.OneToOneField(
        ChargingStation, on_delete=models.CASCADE, primary_key=True, related_name="state"
    )
    generation = models.BigIntegerField(db_default=0)
    connected = models.BooleanField(db_default=False)
    gateway_id = models.UUIDField(null=True)
    protocol = models.CharField(max_length=10, db_default="")
    connected_at = models.DateTimeField(null=True)
    disconnected_at = models.DateTimeField(null=True)
    last_seen_at = models.DateTimeField(null=True)
    vendor = models.CharField(max_length=50, db_default="")
    model = models.CharField(max_length=50, db_default="")
    serial_number = models.CharField(max_length=50, db_default="")
    firmware_version = models.CharField(max_length=50, db_default="")
    booted_at = models.DateTimeField(null=True)
    boot_count = models.IntegerField(db_default=0)
    # Of 1.6 connector 0, the station as a whole.
    status = models.CharField(max_length=20, db_default="")
    error_code = models.CharField(max_length=50, db_default="")
    status_info = models.CharField(max_length=255, db_default="")
    status_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [
            # The sweep that finds stations of a gateway that died.
            models.Index(
                fields=["gateway_id"],
                name="stations_state_connected",
                condition=models.Q(connected=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.station_id}: generation {self.generation}"


class EVSE(models.Model):
    """The part of a station that charges one vehicle at a time. In 1.6, connector n is EVSE n."""

    station = models.ForeignKey(ChargingStation, on_delete=models.CASCADE, related_name="evses")
    evse_id = models.PositiveIntegerField()

    class Meta:
        ordering: ClassVar = ["station", "evse_id"]
        verbose_name = "EVSE"
        verbose_name_plural = "EVSEs"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["station", "evse_id"], name="stations_evse_unique"),
            models.CheckConstraint(condition=models.Q(evse_id__gte=1), name="stations_evse_from_1"),
        ]

    def __str__(self) -> str:
        return f"{self.station} EVSE {self.evse_id}"


class Connector(models.Model):
    """One outlet of an EVSE; `standard` and `power_type` in OCPI's words.

    `code` is what its label says, see `stations.services.connector_codes`; null until one is needed.
    """

    evse = models.ForeignKey(EVSE, on_delete=models.CASCADE, related_name="connectors")
    connector_id = models.PositiveIntegerField()
    code = models.CharField(max_length=8, null=True, blank=True, editable=False)  # noqa: DJ001 - unique
    standard = models.CharField(max_length=32, db_default="", blank=True)
    power_type = models.CharField(max_length=16, db_default="", blank=True)
    max_power_w = models.PositiveIntegerField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["evse", "connector_id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["evse", "connector_id"], name="stations_connector_unique"
            ),
            models.CheckConstraint(
                condition=models.Q(connector_id__gte=1), name="stations_connector_from_1"
            ),
            models.UniqueConstraint(fields=["code"], name="stations_connector_code_unique"),
            models.CheckConstraint(
                condition=models.Q(code__isnull=True) | models.Q(code__regex=CODE_PATTERN),
                name="stations_connector_code_well_formed",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.evse} connector {self.connector_id}"


class ConnectorStatus(models.Model):
    """The last status a station reported for one connector, in OCPP's word. Written by gateways only."""

    station = models.ForeignKey(
        ChargingStation, on_delete=models.CASCADE, related_name="connector_statuses"
    )
    evse_id = models.IntegerField()
    connector_id = models.IntegerField()
    status = models.CharField(max_length=20)
    error_code = models.CharField(max_length=50, db_default="")
    vendor_error_code = models.CharField(max_length=50, db_default="")
    info = models.CharField(max_length=255, db_default="")
    status_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["station", "evse_id", "connector_id"],
                name="stations_one_status_per_connector",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.station_id}/{self.evse_id}/{self.connector_id}: {self.status}"
