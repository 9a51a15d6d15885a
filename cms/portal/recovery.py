"""A restart that was asked for, step by step until the station is back."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from cms.portal.selectors import StationView
from stations.choices import CommandStatus
from stations.models import ChargingStation, Command, StationState

# Shown for so long after it was asked for; a restart that takes longer has failed.
SHOWN_FOR = timedelta(minutes=10)

_FAILED = {
    CommandStatus.REJECTED,
    CommandStatus.ERROR,
    CommandStatus.TIMED_OUT,
    CommandStatus.CANCELLED,
}


@dataclass(frozen=True, slots=True)
class Step:
    """One step; `at` is when it was reached, None while it is still to come."""

    word: str | Promise
    at: datetime | None
    is_done: bool
    is_current: bool


@dataclass(frozen=True, slots=True)
class Recovery:
    """The last restart. `has_failed` where the station refused or did not answer."""

    command: Command
    steps: list[Step]
    has_failed: bool
    is_over: bool
    is_well: bool


def recovery_of(view: StationView, *, now: datetime) -> Recovery | None:
    """How far the last restart of the latest minutes has come; None without one. One query."""
    command = latest_restart(view.station, now=now)
    return _recovery(command, view) if command else None


def latest_restart(station: ChargingStation, *, now: datetime) -> Command | None:
    """The newest restart that was asked for a short while ago."""
    return (
        Command.objects.filter(station=station, action="Reset", created_at__gte=now - SHOWN_FOR)
        .order_by("-id")
        .first()
    )


def _recovery(command: Command, view: StationView) -> Recovery:
    state: StationState | None = getattr(view.station, "state", None)
    sent_at = command.sent_at
    accepted = command.status == CommandStatus.ACCEPTED
    booted_at = state.booted_at if state else None
    booted = bool(accepted and sent_at and booted_at and booted_at >= sent_at)
    back = booted and view.is_online
    well = back and not view.faults
    reached = [
        (_("Asked"), True, command.created_at),
        (_("Station agreed"), accepted, command.finished_at),
        (_("Started up"), booted, booted_at),
        (_("Connected"), back, state.connected_at if state else None),
        (_("Works again"), well, None),
    ]
    done = [is_done for _word, is_done, _at in reached]
    current = done.index(False) if False in done else len(done)
    failed = command.status in _FAILED
    return Recovery(
        command=command,
        steps=[
            Step(word, at if is_done else None, is_done, index == current and not failed)
            for index, (word, is_done, at) in enumerate(reached)
        ],
        has_failed=failed,
        is_over=failed or well,
        is_well=well,
    )
