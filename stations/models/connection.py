"""Sockets: who holds them, which were opened, which were refused."""

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now

from stations.choices import HandshakeRefusal
from stations.models.station import ChargingStation


class Gateway(models.Model):
    """One server process that holds station sockets; alive until `lease_until`."""

    id = models.UUIDField(primary_key=True)
    host = models.CharField(max_length=255)
    pid = models.IntegerField()
    started_at = models.DateTimeField(db_default=Now())
    lease_until = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-started_at"]

    def __str__(self) -> str:
        return f"{self.host} #{self.pid}"


class Connection(models.Model):
    """One accepted socket of a station."""

    station = models.ForeignKey(
        ChargingStation, on_delete=models.CASCADE, related_name="connections"
    )
    generation = models.BigIntegerField()
    gateway_id = models.UUIDField()
    protocol = models.CharField(max_length=10)
    security_profile = models.PositiveSmallIntegerField()
    remote_address = models.CharField(max_length=64)
    opened_at = models.DateTimeField(db_default=Now())
    closed_at = models.DateTimeField(null=True)
    close_reason = models.CharField(max_length=64, db_default="")

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["station", "generation"], name="stations_connection_generation_unique"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.station_id} generation {self.generation}"


class HandshakeFailure(models.Model):
    """A refused handshake, one row for each identity, reason and address, counted.

    `operator` and `station` are empty where the identity is nobody's: such rows can be adopted.
    """

    operator = models.ForeignKey(
        "accounts.Operator", on_delete=models.CASCADE, null=True, related_name="handshake_failures"
    )
    station = models.ForeignKey(
        ChargingStation, on_delete=models.CASCADE, null=True, related_name="handshake_failures"
    )
    identity = models.CharField(max_length=255)
    reason = models.CharField(max_length=20, choices=HandshakeRefusal)
    detail = models.CharField(max_length=255, db_default="")
    remote_address = models.CharField(max_length=64)
    subprotocols = models.CharField(max_length=255, db_default="")
    first_at = models.DateTimeField(db_default=Now())
    last_at = models.DateTimeField(db_default=Now())
    times = models.PositiveIntegerField(db_default=1)
    resolved_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["-last_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["identity", "reason", "remote_address"],
                condition=models.Q(resolved_at__isnull=True),
                name="stations_one_open_handshake_failure",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.identity}: {self.reason}"


class QuarantinedFact(models.Model):
    """A message that the database would not take; kept raw so that nothing acknowledged is lost."""

    station = models.ForeignKey(
        ChargingStation, on_delete=models.CASCADE, related_name="quarantined_facts"
    )
    at = models.DateTimeField(db_default=Now())
    action = models.CharField(max_length=64)
    message_id = models.CharField(max_length=36)
    payload = models.TextField()
    error = models.TextField()

    class Meta:
        ordering: ClassVar = ["-id"]

    def __str__(self) -> str:
        return f"{self.station_id} {self.action}"
