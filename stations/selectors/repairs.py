"""What is known of a station's habits, and what had to be put right in its messages lately."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Sum

from stations.choices import RepairKind
from stations.models import ChargingStation, StationState
from stations.models.repairs import StationRepair
from stations.quirks import NO_QUIRKS, QuirkProfile, find_profile

WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Repairs:
    """How often one kind of repair was made."""

    kind: RepairKind
    times: int


def quirks_of(state: StationState | None) -> QuirkProfile:
    """The profile that governs a station by what it last said of itself; `NO_QUIRKS` before its first boot."""
    return find_profile(state.vendor, state.model, state.firmware_version) if state else NO_QUIRKS


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
