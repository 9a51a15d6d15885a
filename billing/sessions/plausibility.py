"""The gate before money: can what a station reported be true at all?

Pure. What does not pass waits for a person; it is neither dropped nor priced by itself.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from stations.choices import ReviewReason

# Where a connector's power is not known: more than almost every connector that stands.
DEFAULT_MAX_POWER_W = 400_000
_MARGIN = Decimal("1.1")
# A register that counts whole kWh may be one ahead of what really flowed.
_REGISTER_STEP_WH = 1000
MAX_DURATION = timedelta(days=7)
# Clocks this close together count as one.
SAME_CLOCK = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Reported:
    """A transaction as reported. `*_by_device` says that the effective time is the station's own."""

    started_at: datetime
    ended_at: datetime
    meter_start_wh: int | None
    meter_stop_wh: int | None
    max_power_w: int | None
    start_by_device: bool
    end_by_device: bool
    received_started_at: datetime


def doubts(reported: Reported) -> list[ReviewReason]:
    """Why a person should look before this is priced; empty if nothing speaks against it.

    Energy may be at most 1.1 × the connector's power × the duration, and one step of a register that
    counts whole kWh. Source: the plausibility gate of our reliability rules (rule 18).
    """
    found: list[ReviewReason] = []
    duration = reported.ended_at - reported.started_at
    if not timedelta(0) <= duration <= MAX_DURATION:
        found.append(ReviewReason.IMPLAUSIBLE_DURATION)
    if _mixes_clocks(reported):
        found.append(ReviewReason.CLOCK_IMPLAUSIBLE)
    if reported.meter_start_wh is None:
        found.append(ReviewReason.UNKNOWN_TRANSACTION)
    if reported.meter_stop_wh is None:
        found.append(ReviewReason.NO_STOP)
    if reported.meter_start_wh is None or reported.meter_stop_wh is None:
        return found
    energy_wh = reported.meter_stop_wh - reported.meter_start_wh
    if energy_wh < 0:
        found.append(ReviewReason.METER_STOP_BELOW_START)
    elif energy_wh > _most_wh(duration, reported.max_power_w):
        found.append(ReviewReason.IMPLAUSIBLE_ENERGY)
    return found


def _most_wh(duration: timedelta, max_power_w: int | None) -> Decimal:
    hours = Decimal(max(duration, timedelta(0)) // timedelta(microseconds=1)) / 3_600_000_000
    return (max_power_w or DEFAULT_MAX_POWER_W) * hours * _MARGIN + _REGISTER_STEP_WH


def _mixes_clocks(reported: Reported) -> bool:
    """One end by the station's clock, the other by ours, and the two clocks far apart.

    The difference is then no duration: a start that was kept offline for a day and a stop whose time
    could not be read are a day apart.
    """
    if reported.start_by_device == reported.end_by_device:
        return False
    return reported.start_by_device and (
        abs(reported.received_started_at - reported.started_at) > SAME_CLOCK
    )
