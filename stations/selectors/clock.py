"""Whether a station's clock is off, judged by the times in its newest messages."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any
from zoneinfo import ZoneInfo

from cms.base.json import loads
from stations.ingest.clock import EARLIEST, MAX_AHEAD, read_device_time
from stations.models import ChargingStation, OcppMessage, StationState
from stations.selectors.repairs import quirks_of

TOLERANCE = MAX_AHEAD
_TIMED = ("StatusNotification", "StartTransaction", "StopTransaction", "MeterValues")
_MESSAGES = 12
# Older ones say nothing of the clock as it is now; it is also the most that is read.
_SINCE = timedelta(days=2)
# A slow clock shows the same lag again and again, a queue never for so long.
_STEADY_FOR = timedelta(minutes=10)
_STEADY_WITHIN = timedelta(seconds=60)
_ZONE_WITHIN = timedelta(minutes=2)
_HOUR = timedelta(hours=1)


class ClockFaultKind(Enum):
    """What is wrong with a clock, as far as one can tell."""

    UNREADABLE = "unreadable"  # no zone, or no time at all
    UNSET = "unset"  # the years before 2020, 1970 above all
    SITE_TIME = "site_time"  # the time of the site, called UTC
    SUMMER_TIME = "summer_time"  # an hour off, to the minute
    OFF = "off"


@dataclass(frozen=True, slots=True)
class ClockFault:
    """`off_by` is how far the clock is ahead of ours, negative where it is slow; None where that says nothing."""

    kind: ClockFaultKind
    off_by: timedelta | None
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class _Told:
    """A time as a message told it, with the time of its receipt."""

    device_at: datetime | None
    received_at: datetime

    @property
    def off_by(self) -> timedelta:
        return (self.device_at or self.received_at) - self.received_at


def clock_fault_of(
    station: ChargingStation, state: StationState | None, *, zone: str, now: datetime
) -> ClockFault | None:
    """What is wrong with the station's clock by its messages of the last two days; None if nothing is known to be.

    A time that is ahead of its receipt needs no second witness. One that lies behind may have waited in the
    station's queue: the clock is slow only if nothing newer came than so late, and if two messages that were
    received ten minutes apart were late by the same. Known habits are allowed for. `zone` is the site's time
    zone. One query of at most twelve rows; whoever asks must have been given the station.

    Source: OCPP 1.6 §4.2 and §4.6 (BootNotification and Heartbeat set the clock), §3.14.
    """
    told = list(_told_by(station, state, zone=zone, now=now))
    if not told:
        return None
    newest = told[0]
    if newest.device_at is None:
        return ClockFault(ClockFaultKind.UNREADABLE, None, newest.received_at)
    if newest.device_at < EARLIEST:
        return ClockFault(ClockFaultKind.UNSET, None, newest.received_at)
    off_by = newest.off_by if newest.off_by > TOLERANCE else _lag(told)
    if off_by is None:
        return None
    kind = _kind(off_by, newest.received_at.astimezone(ZoneInfo(zone)).utcoffset())
    return ClockFault(kind, off_by, newest.received_at)


def _lag(told: list[_Told]) -> timedelta | None:
    """How far behind a slow clock is: by what the least late messages are late; None where it is not slow."""
    readable = [one for one in told if one.device_at is not None and one.device_at >= EARLIEST]
    least = max(one.off_by for one in readable)
    if least >= -TOLERANCE:
        return None
    alike = [one.received_at for one in readable if least - one.off_by <= _STEADY_WITHIN]
    return least if max(alike) - min(alike) >= _STEADY_FOR else None


def _kind(off_by: timedelta, utc_offset: timedelta | None) -> ClockFaultKind:
    if utc_offset and abs(off_by - utc_offset) <= _ZONE_WITHIN:
        return ClockFaultKind.SITE_TIME
    if abs(abs(off_by) - _HOUR) <= _ZONE_WITHIN:
        return ClockFaultKind.SUMMER_TIME
    return ClockFaultKind.OFF


def _told_by(
    station: ChargingStation, state: StationState | None, *, zone: str, now: datetime
) -> Iterator[_Told]:
    """The newest first; messages without a time are left out."""
    quirks = quirks_of(state)
    rows = (
        OcppMessage.objects.filter(
            station_id=station.pk,
            at__gte=now - _SINCE,
            direction="in",
            type="call",
            action__in=_TIMED,
        )
        .order_by("-at", "-id")
        .values_list("at", "payload")
    )
    for received_at, payload in rows[:_MESSAGES]:
        texts = _times_in(payload)
        times = [
            read_device_time(
                text,
                received_at=received_at,
                naive_zone=quirks.naive_zone(zone),
                z_means=ZoneInfo(zone) if quirks.z_means_site_time else None,
            ).device_at
            for text in texts
        ]
        if times:
            read = [at for at in times if at is not None]
            yield _Told(max(read) if read else None, received_at)


def _times_in(payload: str) -> list[str]:
    """Its own timestamp, or those of its readings."""
    try:
        message: Any = loads(payload)
    except ValueError:
        return []
    if not isinstance(message, dict):
        return []
    readings = message.get("meterValue")
    parts = [message, *(readings if isinstance(readings, list) else [])]
    found = [part.get("timestamp") for part in parts if isinstance(part, dict)]
    return [text for text in found if isinstance(text, str) and text]
