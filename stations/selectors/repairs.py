"""What had to be put right in a station's messages lately."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Sum

from stations.choices import RepairKind
from stations.models import ChargingStation
from stations.models.repairs import StationRepair

WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Repairs:
    """How often one kind of repair was made."""

    kind: RepairKind
    times: int


def repairs_of_week(station: ChargingStation, *, now: datetime) -> list[Repairs]:
    """Those of the seven UTC days that end with today, the most frequent first. One query.

    Whoever asks must have been given the station (`get_station_with_state_for`).
    """
    since = (now - WEEK).date()
    rows = (
        StationRepair.objects.filter(station=station, day__gt=since)
        .values("kind")
        .annotate(sum=Sum("times"))
        .order_by("-sum", "kind")
    )
    return [Repairs(RepairKind(row["kind"]), row["sum"]) for row in rows]
