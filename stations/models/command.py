"""What we asked stations to do."""

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now

from cms.base.json import ExactJSONField
from stations.choices import CommandStatus
from stations.models.station import ChargingStation


class Command(models.Model):
    """One request to a station, with its outcome; the row is the truth, a notification only wakes.

    `payload` is OCPP's own. `response` is the station's result as received, `error` says why there is
    none: `{"code", "description", "details"}`.
    """

    operator = models.ForeignKey(
        "accounts.Operator", on_delete=models.CASCADE, related_name="commands"
    )
    station = models.ForeignKey(ChargingStation, on_delete=models.CASCADE, related_name="commands")
    protocol = models.CharField(max_length=10)
    action = models.CharField(max_length=64)
    payload = ExactJSONField(default=dict)
    status = models.CharField(max_length=10, choices=CommandStatus, default=CommandStatus.QUEUED)
    response = ExactJSONField(null=True)
    error = ExactJSONField(null=True)
    created_by = models.ForeignKey(
        "accounts.User", on_delete=models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    message_id = models.CharField(max_length=36, db_default="")
    generation = models.BigIntegerField(null=True)
    gateway_id = models.UUIDField(null=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(status__in=CommandStatus.values),
                name="stations_command_status_known",
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=["queued", "sent"])
                | models.Q(finished_at__isnull=False),
                name="stations_finished_command_has_time",
            ),
        ]
        indexes: ClassVar = [
            # What a gateway has to send, and what the sweep has to end.
            models.Index(
                fields=["station", "id"],
                name="stations_command_open",
                condition=models.Q(status__in=["queued", "sent"]),
            ),
            models.Index(fields=["operator", "-id"], name="stations_command_operator"),
        ]

    def __str__(self) -> str:
        return f"{self.action} #{self.pk}"
