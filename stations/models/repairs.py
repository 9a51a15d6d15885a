"""What had to be put right in a station's messages."""

from typing import ClassVar

from django.db import models

from stations.choices import RepairKind
from stations.models.station import ChargingStation


class StationRepair(models.Model):
    """How often one kind of repair was made in a station's messages on one UTC day. Written by gateways only."""

    station = models.ForeignKey(ChargingStation, on_delete=models.CASCADE, related_name="repairs")
    day = models.DateField()
    kind = models.CharField(max_length=12, choices=RepairKind)
    times = models.BigIntegerField()

    class Meta:
        ordering: ClassVar = ["-day", "kind"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["station", "day", "kind"], name="stations_one_repair_a_day"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.times} {self.kind} at {self.station_id} on {self.day}"
