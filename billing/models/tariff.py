"""Tariffs, their immutable versions and where they apply."""

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now

from billing.choices import TariffStatus
from cms.base.json import ExactJSONField

# An id of a person's choice; a longer one is a UUID, of which the beginning is enough to tell it apart.
_READABLE = 24


class Tariff(models.Model):
    """A named price of one operator; its content lives in versions. `ocpi_id` is its public id."""

    operator = models.ForeignKey(
        "accounts.Operator", on_delete=models.PROTECT, related_name="tariffs"
    )
    ocpi_id = models.CharField(max_length=36)
    name = models.CharField(max_length=120, blank=True)
    currency = models.CharField(max_length=3)
    status = models.CharField(max_length=8, choices=TariffStatus, default=TariffStatus.ACTIVE)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["operator", "ocpi_id"], name="billing_tariff_ocpi_id_unique"
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=TariffStatus.values),
                name="billing_tariff_status_known",
            ),
        ]

    def __str__(self) -> str:
        return self.name or (
            self.ocpi_id if len(self.ocpi_id) <= _READABLE else f"{self.ocpi_id[:8]}…"
        )


class TariffVersion(models.Model):
    """One state of a tariff as an OCPI 2.2.1 tariff object. Never changed: a change is a new version."""

    tariff = models.ForeignKey(Tariff, on_delete=models.PROTECT, related_name="versions")
    version = models.PositiveIntegerField()
    content = ExactJSONField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering: ClassVar = ["tariff", "-version"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["tariff", "version"], name="billing_tariff_version_unique"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.tariff} v{self.version}"


class TariffAssignment(models.Model):
    """Where a tariff applies; the narrowest wins (group, EVSE, station, location, operator), then the newest.

    A removed assignment stays: a session that was charged offline before is priced by it.
    """

    operator = models.ForeignKey(
        "accounts.Operator", on_delete=models.PROTECT, related_name="tariff_assignments"
    )
    tariff = models.ForeignKey(Tariff, on_delete=models.PROTECT, related_name="assignments")
    group = models.ForeignKey(
        "accounts.IdTokenGroup", on_delete=models.CASCADE, null=True, blank=True, related_name="+"
    )
    station = models.ForeignKey(
        "stations.ChargingStation",
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="tariff_assignments",
    )
    evse_id = models.PositiveIntegerField(null=True, blank=True)
    location = models.ForeignKey(
        "stations.Location",
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="tariff_assignments",
    )
    created_at = models.DateTimeField(db_default=Now())
    removed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.CheckConstraint(
                name="billing_assignment_has_one_target",
                condition=models.Q(group__isnull=True, station__isnull=True)
                | models.Q(group__isnull=True, location__isnull=True)
                | models.Q(station__isnull=True, location__isnull=True),
            ),
            models.CheckConstraint(
                name="billing_assignment_evse_names_station",
                condition=models.Q(evse_id__isnull=True) | models.Q(station__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.tariff} → {self.target}"

    @property
    def target(self) -> str:
        """Where it applies, in words."""
        if self.group_id:
            return f"group {self.group}"
        if self.station_id:
            return f"{self.station} EVSE {self.evse_id}" if self.evse_id else str(self.station)
        return str(self.location) if self.location_id else "everywhere"
