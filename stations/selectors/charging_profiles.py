"""Charging profiles of the library, and what is at stations."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from accounts.services.actors import Actor
from cms.base.ids import get_by_id
from stations.choices import CommandStatus, ProfileStatus
from stations.models import ChargingProfile, ChargingStation, Command, InstalledProfile
from stations.ocpp.v16.charging_profiles import schedule_from_v16
from stations.services.charging_profile_rules import read_moment

# What a list of profiles at a station shows unless asked for more.
PRESENT = (ProfileStatus.REQUESTED, ProfileStatus.INSTALLED)


@dataclass(frozen=True, slots=True)
class CompositeSchedule:
    """What all profiles together allow, as a station told it. `schedule` is in 2.0.1's words, None if it gave none.

    `evse_id` 0 is the station as a whole. `starts_at` is the station's own time.
    """

    command: Command
    evse_id: int
    starts_at: datetime
    schedule: dict[str, Any] | None


def charging_profiles_for(actor: Actor) -> QuerySet[ChargingProfile]:
    """The operator's library."""
    return ChargingProfile.objects.filter(operator=actor.operator)


def get_charging_profile_for(actor: Actor, public_id: str) -> ChargingProfile:
    """Raises NotFound for another operator's."""
    return get_by_id(charging_profiles_for(actor), public_id)


def installed_profiles_for(
    actor: Actor, station: ChargingStation, *, statuses: Sequence[str] = PRESENT
) -> QuerySet[InstalledProfile]:
    """What was asked of a station of the operator's and has one of these statuses."""
    return InstalledProfile.objects.filter(
        station=station, station__operator=actor.operator, status__in=statuses
    ).select_related("station", "library_profile", "transaction")


def get_installed_profile_for(
    actor: Actor, station: ChargingStation, public_id: str
) -> InstalledProfile:
    """Raises NotFound for another station's or operator's."""
    rows = installed_profiles_for(actor, station, statuses=ProfileStatus.values)
    return get_by_id(rows, public_id)


def composite_schedules(station: ChargingStation) -> list[CompositeSchedule]:
    """The newest one of each EVSE that was asked for, by EVSE. One query."""
    told: dict[int, CompositeSchedule] = {}
    commands = Command.objects.filter(
        station=station, action="GetCompositeSchedule", status=CommandStatus.ACCEPTED
    ).order_by("-id")[:20]
    for command in commands:
        evse_id = command.payload["connectorId"]
        if evse_id not in told:
            told[evse_id] = _composite_schedule(command, evse_id)
    return [told[evse_id] for evse_id in sorted(told)]


def _composite_schedule(command: Command, evse_id: int) -> CompositeSchedule:
    response = command.response if isinstance(command.response, dict) else {}
    schedule = response.get("chargingSchedule")
    told_start = response.get("scheduleStart") or (schedule or {}).get("startSchedule") or ""
    finished_at = command.finished_at or command.created_at
    starts_at = read_moment(told_start)
    if starts_at is None or starts_at.tzinfo is None:
        starts_at = finished_at
    return CompositeSchedule(
        command,
        evse_id,
        starts_at,
        schedule_from_v16(schedule) if schedule else None,
    )
