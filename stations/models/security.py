"""Certificates of stations and of those who sign them; security events."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from cms.base.json import ExactJSONField
from stations.choices import CertificateUse
from stations.models.station import ChargingStation


class SecurityEvent(models.Model):
    """Something that concerns a station's security: as it reported it, or as we noticed.

    Source: Improved security for OCPP 1.6-J, A04.
    """

    operator = models.ForeignKey(
        "accounts.Operator", on_delete=models.CASCADE, related_name="security_events"
    )
    station = models.ForeignKey(
        ChargingStation, on_delete=models.CASCADE, related_name="security_events"
    )
    type = models.CharField(max_length=50)
    # By the standard's list; one that is not on it is taken for critical.
    critical = models.BooleanField()
    # The station's clock where it is plausible, else ours.
    at = models.DateTimeField()
    received_at = models.DateTimeField(db_default=Now())
    tech_info = models.CharField(max_length=255, db_default="")
    # A critical event asks for attention until somebody has seen it.
    acknowledged_at = models.DateTimeField(null=True)
    acknowledged_by = models.ForeignKey(
        "accounts.User", on_delete=models.SET_NULL, null=True, related_name="+"
    )
    # Of the message that told it: a repeated message is the same event.
    event_key = models.CharField(max_length=160)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["station", "event_key"], name="stations_security_event_unique"
            ),
        ]
        indexes: ClassVar = [
            # The overview's list of what needs attention.
            models.Index(
                fields=["operator", "-id"],
                name="stations_open_security_event",
                condition=Q(critical=True, acknowledged_at__isnull=True),
            ),
            models.Index(fields=["operator", "-id"], name="stations_security_events"),
        ]

    def __str__(self) -> str:
        return f"{self.type} at {self.station_id}"


class CertificateAuthority(models.Model):
    """Our own CA for client certificates of stations, one for the platform; the key is encrypted at rest."""

    certificate = models.TextField()
    encrypted_key = models.BinaryField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering: ClassVar = ["-id"]

    def __str__(self) -> str:
        return f"CA {self.pk}"


class TrustedCA(models.Model):
    """Somebody else's CA whose client certificates an operator's stations may show."""

    operator = models.ForeignKey(
        "accounts.Operator", on_delete=models.CASCADE, related_name="trusted_cas"
    )
    name = models.CharField(max_length=100)
    pem = models.TextField()
    # SHA-256 over the DER.
    fingerprint = models.CharField(max_length=64)
    not_after = models.DateTimeField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering: ClassVar = ["name", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["operator", "fingerprint"], name="stations_trusted_ca_unique"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class StationCertificate(models.Model):
    """A certificate that a station uses or trusts, as far as we know.

    `client`: issued by us from the station's request, sent, and used for profile 3 until it is revoked or expired.
    `*_root`: installed by us, or told by the station as `hash_data` (then without `pem`).
    """

    station = models.ForeignKey(
        ChargingStation, on_delete=models.CASCADE, related_name="certificates"
    )
    use = models.CharField(max_length=20, choices=CertificateUse)
    pem = models.TextField(db_default="")
    serial_number = models.CharField(max_length=64, db_default="")
    subject = models.CharField(max_length=255, db_default="")
    # SHA-256 over the DER; empty where the station told only a hash.
    fingerprint = models.CharField(max_length=64, db_default="")
    # SHA-256 over the request that a client certificate answers.
    request_print = models.CharField(max_length=64, db_default="")
    # `{hashAlgorithm, issuerNameHash, issuerKeyHash, serialNumber}` as the station names it.
    hash_data = ExactJSONField(null=True)
    not_before = models.DateTimeField(null=True)
    not_after = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())
    # When the station accepted it, or told that it has it.
    installed_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    removed_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            # The handshake asks whether a certificate that it was shown is revoked.
            models.Index(fields=["fingerprint"], name="stations_certificate_print"),
        ]

    def __str__(self) -> str:
        return f"{self.use} of {self.station_id}"
