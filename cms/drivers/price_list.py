"""Prices of many outlets at once, for lists: three queries, however many.

The rule is that of `billing.tariffs.selectors.tariff_version_for` for a person without a group; a test holds the
two together.
"""

from collections.abc import Iterable
from datetime import datetime

from django.db.models import Q

from billing.choices import TariffStatus
from billing.models import TariffAssignment, TariffVersion
from billing.tariffs.ocpi import parse_tariff
from billing.tariffs.tariff import Tariff
from stations.models import ChargingStation

Outlet = tuple[int, int]


def tariffs_at(stations: Iterable[ChargingStation], *, now: datetime) -> dict[Outlet, Tariff]:
    """What a session that starts now costs, by (station's primary key, EVSE); without a tariff, no entry.

    Needs `evses` loaded.
    """
    stations = list(stations)
    assignments = list(
        TariffAssignment.objects.filter(
            Q(station__in=stations)
            | Q(location_id__in={station.location_id for station in stations})
            | Q(station=None, location=None),
            operator_id__in={station.operator_id for station in stations},
            group=None,
            removed_at=None,
            tariff__status=TariffStatus.ACTIVE,
        ).order_by("-created_at", "-pk")
    )
    versions = (
        TariffVersion.objects.filter(tariff_id__in={a.tariff_id for a in assignments})
        .order_by("tariff_id", "-version")
        .distinct("tariff_id")
    )
    parsed = {version.tariff_id: parse_tariff(version.content) for version in versions}
    in_force = {pk: tariff for pk, tariff in parsed.items() if tariff.applies_at(now)}
    found = {}
    for station in stations:
        here = [
            a
            for a in assignments
            if a.operator_id == station.operator_id and a.tariff_id in in_force
        ]
        for evse in station.evses.all():
            ranked = [
                (rank, a) for a in here if (rank := _rank(a, station, evse.evse_id)) is not None
            ]
            if ranked:
                _, narrowest = min(ranked, key=lambda pair: pair[0])
                found[station.pk, evse.evse_id] = in_force[narrowest.tariff_id]
    return found


def _rank(assignment: TariffAssignment, station: ChargingStation, evse_id: int) -> int | None:
    """0 for the narrowest; None where it does not apply."""
    if assignment.station_id is not None:
        if assignment.station_id != station.pk or assignment.evse_id not in (None, evse_id):
            return None
        return 1 if assignment.evse_id is None else 0
    if assignment.location_id is not None:
        return 2 if assignment.location_id == station.location_id else None
    return 3
