"""What is known of a session when it is priced: clock times, registers and statuses, no prices."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from billing.tariffs.exceptions import RatingRefused

SUSPENDED_EV = "SuspendedEV"
SUSPENDED_EVSE = "SuspendedEVSE"
FINISHING = "Finishing"
CHARGING = "Charging"


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """One session, finished or running (then `ended_at` and `meter_stop_wh` are the latest known).

    Times are aware. `readings` are (at, register in Wh), on the same register as `meter_start_wh` and `meter_stop_wh`;
    `statuses` are (at, OCPP status or charging state), one holds until the next; `currents` are (at, A over all
    phases), likewise. All three may come in any order and may reach beyond the session. `time_zone` is the location's.
    `reserved_at`: since when the driver held a reservation that this session used.

    `metered_until`: when `meter_stop_wh` was read, where that was before `ended_at` (a session that runs, or one whose
    last register had to do). What the car did until then counts on, unless a status says otherwise: no reading has
    shown yet that it stopped. None means that the register was read at the end.

    `measured` is False for a quote, whose charging time is given and not to be found out from its power.

    Raises RatingRefused when the session ends before it begins, its register ran backwards, or a time has no zone.
    """

    started_at: datetime
    ended_at: datetime
    meter_start_wh: int
    meter_stop_wh: int
    time_zone: str
    readings: tuple[tuple[datetime, int], ...] = ()
    statuses: tuple[tuple[datetime, str], ...] = ()
    currents: tuple[tuple[datetime, Decimal], ...] = ()
    reserved_at: datetime | None = None
    measured: bool = True
    metered_until: datetime | None = None

    def __post_init__(self) -> None:
        events = (*self.readings, *self.statuses, *self.currents)
        times = (self.started_at, self.ended_at, self.metered_until, *(at for at, _ in events))
        if any(at is not None and at.tzinfo is None for at in times):
            raise RatingRefused("A time of this session has no zone.")
        if self.ended_at < self.started_at:
            raise RatingRefused("The session ends before it begins.")
        if self.meter_stop_wh < self.meter_start_wh:
            raise RatingRefused("The meter shows less at the end of the session than at its start.")
        if self.reserved_at is not None and self.reserved_at > self.started_at:
            raise RatingRefused("The reservation begins after the session.")
        try:
            ZoneInfo(self.time_zone)
        except (
            KeyError,
            ValueError,
            OSError,
        ):  # unknown, malformed, or a folder of the tz database
            raise RatingRefused(f"There is no time zone {self.time_zone!r}.") from None

    @property
    def energy_wh(self) -> int:
        return self.meter_stop_wh - self.meter_start_wh

    @property
    def duration_s(self) -> int:
        """Whole seconds from start to end."""
        return (self.ended_at - self.started_at) // timedelta(seconds=1)


def quote_facts(
    *, starts_at: datetime, energy_wh: int, charging_s: int, idle_s: int, time_zone: str
) -> SessionFacts:
    """A session as a driver imagines it: charging evenly for `charging_s`, then parked for `idle_s`.

    Raises RatingRefused for a negative quantity.
    """
    if min(energy_wh, charging_s, idle_s) < 0:
        raise RatingRefused("A quote needs energy and times that are not negative.")
    charged_at = starts_at + timedelta(seconds=charging_s)
    return SessionFacts(
        started_at=starts_at,
        ended_at=charged_at + timedelta(seconds=idle_s),
        meter_start_wh=0,
        meter_stop_wh=energy_wh,
        time_zone=time_zone,
        readings=((charged_at, energy_wh),),
        statuses=((starts_at, CHARGING), (charged_at, SUSPENDED_EV)),
        measured=False,
    )
