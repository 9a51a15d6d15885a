"""The commercial side of charging."""

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now

from billing.choices import SessionStatus
from billing.models.tariff import TariffVersion


class ChargingSession(models.Model):
    """What a driver sees and pays for (OCPI Session); refers to its transaction once there is one.

    The tariff version is frozen when the session starts: what was shown is what is billed.
    """

    operator = models.ForeignKey(
        "accounts.Operator", on_delete=models.PROTECT, related_name="charging_sessions"
    )
    transaction = models.OneToOneField(
        "stations.Transaction",
        on_delete=models.PROTECT,
        null=True,
        related_name="charging_session",
    )
    station = models.ForeignKey(
        "stations.ChargingStation", on_delete=models.PROTECT, related_name="charging_sessions"
    )
    driver = models.ForeignKey(
        "accounts.Driver", on_delete=models.SET_NULL, null=True, related_name="charging_sessions"
    )
    id_token = models.ForeignKey(
        "accounts.IdToken", on_delete=models.SET_NULL, null=True, related_name="charging_sessions"
    )
    tariff_version = models.ForeignKey(
        TariffVersion, on_delete=models.PROTECT, null=True, related_name="charging_sessions"
    )
    status = models.CharField(max_length=10, choices=SessionStatus)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(status__in=SessionStatus.values),
                name="billing_session_status_known",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["operator", "-id"], name="billing_session_operator"),
        ]

    def __str__(self) -> str:
        return f"Session {self.pk}"
