"""Which price applies where, and when."""

from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import Case, OuterRef, Q, QuerySet, Subquery, When

from accounts.models import IdToken
from accounts.services.actors import Actor
from billing.choices import TariffStatus
from billing.models import Tariff, TariffAssignment, TariffVersion
from billing.tariffs.ocpi import parse_tariff
from cms.base.errors import NotFound
from cms.base.ids import get_by_id
from stations.models import ChargingStation


@dataclass(frozen=True, slots=True)
class TariffChoice:
    """Why a tariff applies somewhere: `assignment` decided, those in `out_of_date` came before it but their tariff's
    dates do not hold the moment, those in `outdone` are wider or older. Narrowest first in each.
    """

    version: TariffVersion | None
    assignment: TariffAssignment | None
    out_of_date: tuple[TariffAssignment, ...]
    outdone: tuple[TariffAssignment, ...]


def tariff_version_for(
    *,
    station_id: int,
    evse_id: int | None,
    id_token_id: int | None,
    at: datetime,
    as_of: datetime | None = None,
) -> TariffVersion | None:
    """The version that prices a session starting at `at` there, or None: never a guess.

    The narrowest assignment wins (group, EVSE, station, location, operator). Within one level the
    newest of those in force `as_of` then (`at` unless told) comes first; where none was, because the
    tariff is younger than a session that was charged offline, the newest of today's. A tariff whose
    dates do not hold `at` is passed over. `version.tariff` is loaded. Three queries and one more for
    each tariff looked at.
    """
    choice = explain_tariff(
        station_id=station_id, evse_id=evse_id, id_token_id=id_token_id, at=at, as_of=as_of
    )
    return choice.version


def explain_tariff(
    *,
    station_id: int,
    evse_id: int | None,
    id_token_id: int | None,
    at: datetime,
    as_of: datetime | None = None,
) -> TariffChoice:
    """As `tariff_version_for`, with the assignments that were looked at on the way."""
    as_of = as_of or at
    station = ChargingStation.objects.only("operator_id", "location_id").get(pk=station_id)
    group_id = _group_of(id_token_id, station.operator_id)
    assignments = TariffAssignment.objects.filter(
        reduce(or_, _levels(station, evse_id, group_id)),
        Q(removed_at=None) | Q(created_at__lte=as_of, removed_at__gt=as_of),
        operator_id=station.operator_id,
        tariff__status=TariffStatus.ACTIVE,
    ).select_related("tariff", "station", "location", "group")

    def rank(assignment: TariffAssignment) -> tuple[int, bool, float, int]:
        came_later = assignment.created_at > as_of
        age = -assignment.created_at.timestamp()
        return _level_of(assignment), came_later, age, -assignment.pk

    ranked = sorted(assignments, key=rank)
    chosen: TariffAssignment | None = None
    out_of_date: list[TariffAssignment] = []
    passed_over: set[int] = set()
    found: TariffVersion | None = None
    for assignment in ranked:
        if assignment.tariff_id in passed_over:
            out_of_date.append(assignment)
            continue
        version = version_in_force(assignment.tariff, as_of)
        if version is not None and parse_tariff(version.content).applies_at(at):
            chosen, found = assignment, version
            break
        passed_over.add(assignment.tariff_id)
        out_of_date.append(assignment)
    rest = ranked[ranked.index(chosen) + 1 :] if chosen else []
    return TariffChoice(found, chosen, tuple(out_of_date), tuple(rest))


def version_in_force(tariff: Tariff, as_of: datetime) -> TariffVersion | None:
    """The newest version made until `as_of`, else (the tariff is younger than that) the newest of all."""
    version = (
        TariffVersion.objects.filter(tariff=tariff)
        .order_by(Case(When(created_at__lte=as_of, then=0), default=1), "-version")
        .first()
    )
    if version is not None:
        version.tariff = tariff
    return version


def latest_version(tariff: Tariff) -> TariffVersion:
    """What the tariff says now; every tariff has at least one version."""
    return TariffVersion.objects.filter(tariff=tariff).latest("version")


def tariffs_for(actor: Actor) -> QuerySet[Tariff]:
    """The operator's tariffs, each with `latest_content`, `latest_version` and `latest_at`; one query."""
    latest = TariffVersion.objects.filter(tariff=OuterRef("pk")).order_by("-version")
    return Tariff.objects.filter(operator=actor.operator).annotate(
        latest_content=Subquery(latest.values("content")[:1]),
        latest_version=Subquery(latest.values("version")[:1]),
        latest_at=Subquery(latest.values("created_at")[:1]),
    )


def get_tariff_for(actor: Actor, ocpi_id: str) -> Tariff:
    """Raises NotFound for another operator's."""
    tariff = tariffs_for(actor).filter(ocpi_id=ocpi_id).first() if "\0" not in ocpi_id else None
    if tariff is None:
        raise NotFound("There is no such tariff.")
    return tariff


def assignments_for(actor: Actor) -> QuerySet[TariffAssignment]:
    """The operator's assignments that are in force, with what they name."""
    return TariffAssignment.objects.filter(
        operator=actor.operator, removed_at__isnull=True
    ).select_related("tariff", "station", "location", "group")


def get_assignment_for(actor: Actor, public_id: str) -> TariffAssignment:
    """Raises NotFound for another operator's, and for one that was removed."""
    return get_by_id(assignments_for(actor), public_id)


def filter_assignments(
    assignments: QuerySet[TariffAssignment],
    *,
    tariff: str | None = None,
    station: str | None = None,
) -> QuerySet[TariffAssignment]:
    """`tariff` is its public id, `station` an identity."""
    if tariff is not None:
        assignments = assignments.filter(tariff__ocpi_id=tariff)
    if station is not None:
        assignments = assignments.filter(station__identity=station)
    return assignments


def _group_of(id_token_id: int | None, operator_id: int) -> int | None:
    if id_token_id is None:
        return None
    token = IdToken.objects.filter(pk=id_token_id, operator_id=operator_id).first()
    return token.group_id if token else None


def _levels(station: ChargingStation, evse_id: int | None, group_id: int | None) -> list[Q]:
    """A condition for each level that exists for this session."""
    levels = [Q(group=None, station=None, location=None)]
    if station.location_id is not None:
        levels.append(Q(location_id=station.location_id))
    levels.append(Q(station_id=station.pk, evse_id=None))
    if evse_id is not None:
        levels.append(Q(station_id=station.pk, evse_id=evse_id))
    if group_id is not None:
        levels.append(Q(group_id=group_id))
    return levels


def _level_of(assignment: TariffAssignment) -> int:
    """0 for the narrowest."""
    targets: list[Any] = [
        assignment.group_id,
        assignment.evse_id,
        assignment.station_id,
        assignment.location_id,
    ]
    return next((level for level, target in enumerate(targets) if target is not None), len(targets))
