"""When a tariff element is active, and at which moments of a session that can change.

Every restriction is judged at a moment, all of them together: an element for SATURDAY from 22:00 to 06:00 is active on
Saturday before 06:00 and after 22:00, not in the small hours of Sunday. An `end_time` not after its `start_time` wraps
around midnight; 00:00 as `end_time` is the end of the day. Wall-clock times are looked up for each moment, so an hour
that the autumn repeats matches twice and one that spring leaves out not at all.

Power is the average between the two readings around the moment. An element that asks for a current is not active
while no current is known.

Source: OCPI 2.2.1 §11.4.6, TariffRestrictions.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, time, timedelta
from fractions import Fraction
from typing import NamedTuple
from zoneinfo import ZoneInfo

from billing.tariffs.tariff import DayOfWeek, Restrictions
from billing.tariffs.timeline import SECOND_US, Exact, since

_KW_US_PER_WH = 3_600_000  # Wh in µs, as kW
_MIDNIGHT = time()
_WEEKDAYS = tuple(DayOfWeek)


class Moment(NamedTuple):
    """Where a session stands. `local` is None where no rule of the tariff looks at the clock."""

    local: datetime | None
    elapsed_us: Exact
    energy_wh: Exact
    rise_wh: int
    span_us: int
    current_a: Fraction | None


Check = Callable[[Moment], bool]


class Rule:
    """Restrictions made ready to be asked often, with the places where their answer may change."""

    def __init__(self, limits: Restrictions | None) -> None:
        limits = limits or Restrictions()
        self.at_wh: list[Exact] = []
        self.at_us: list[Exact] = []
        self.clock_times: set[time] = set()
        self.uses_clock = False
        self._checks: list[Check] = []
        self._add_clock(limits)
        self._add_energy(limits)
        self._add_duration(limits)
        self._add_power(limits)
        self._add_current(limits)

    @property
    def restricts(self) -> bool:
        return bool(self._checks)

    def holds(self, moment: Moment) -> bool:
        for check in self._checks:  # noqa: SIM110 (asked for every segment, and all() costs twice as much)
            if not check(moment):
                return False
        return True

    def _add_clock(self, limits: Restrictions) -> None:
        start, end = limits.start_time or _MIDNIGHT, limits.end_time or _MIDNIGHT
        if limits.start_time is not None or limits.end_time is not None:
            self._on_clock(lambda now: _in_window(now.time(), start, end))
            self.clock_times |= {start, end}
        if (first := limits.start_date) is not None:
            self._on_clock(lambda now: now.date() >= first)
        if (beyond := limits.end_date) is not None:
            self._on_clock(lambda now: now.date() < beyond)
        if days := limits.day_of_week:
            self._on_clock(lambda now: _WEEKDAYS[now.weekday()] in days)

    def _on_clock(self, check: Callable[[datetime], bool]) -> None:
        self.uses_clock = True
        self._checks.append(lambda moment: moment.local is not None and check(moment.local))

    def _add_energy(self, limits: Restrictions) -> None:
        if limits.min_kwh is not None:
            least = Fraction(limits.min_kwh) * 1000
            self.at_wh.append(least)
            self._checks.append(lambda moment: moment.energy_wh >= least)
        if limits.max_kwh is not None:
            most = Fraction(limits.max_kwh) * 1000
            self.at_wh.append(most)
            self._checks.append(lambda moment: moment.energy_wh < most)

    def _add_duration(self, limits: Restrictions) -> None:
        if limits.min_duration is not None:
            least = limits.min_duration * SECOND_US
            self.at_us.append(least)
            self._checks.append(lambda moment: moment.elapsed_us >= least)
        if limits.max_duration is not None:
            most = limits.max_duration * SECOND_US
            self.at_us.append(most)
            self._checks.append(lambda moment: moment.elapsed_us < most)

    def _add_power(self, limits: Restrictions) -> None:
        if limits.min_power is not None:
            least = Fraction(limits.min_power)
            self._checks.append(lambda m: m.rise_wh * _KW_US_PER_WH >= least * m.span_us)
        if limits.max_power is not None:
            most = Fraction(limits.max_power)
            self._checks.append(lambda m: m.rise_wh * _KW_US_PER_WH < most * m.span_us)

    def _add_current(self, limits: Restrictions) -> None:
        if limits.min_current is not None:
            least = Fraction(limits.min_current)
            self._checks.append(lambda m: m.current_a is not None and m.current_a >= least)
        if limits.max_current is not None:
            most = Fraction(limits.max_current)
            self._checks.append(lambda m: m.current_a is not None and m.current_a < most)


def _in_window(now: time, start: time, end: time) -> bool:
    if start < end:
        return start <= now < end
    return now >= start or now < end


def clock_cuts(
    times: set[time], *, start: datetime, end: datetime, zone: ZoneInfo, origin: datetime
) -> Iterator[int]:
    """Microseconds since `origin` where the wall clock shows midnight or one of `times`, or is moved."""
    day, last_day = start.astimezone(zone).date(), end.astimezone(zone).date()
    while day <= last_day:
        for wall in (_MIDNIGHT, *times):
            # Both readings of a repeated hour; a cut too many does no harm.
            for fold in (0, 1):
                at = datetime.combine(day, wall, tzinfo=zone).replace(fold=fold).astimezone(UTC)
                if start < at < end:
                    yield since(origin, at)
        day += timedelta(days=1)
    yield from (since(origin, at) for at in _clock_changes(start, end, zone) if start < at < end)


def _clock_changes(start: datetime, end: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """The moments, to the second, at which the zone's distance from UTC changes."""
    low = start.astimezone(UTC).replace(microsecond=0)
    while low < end:
        high = low + timedelta(days=1)
        before, after = low.astimezone(zone).utcoffset(), high.astimezone(zone).utcoffset()
        if before != after:
            unchanged, changed = 0, 24 * 3600
            while changed - unchanged > 1:
                middle = (unchanged + changed) // 2
                at = low + timedelta(seconds=middle)
                if at.astimezone(zone).utcoffset() == before:
                    unchanged = middle
                else:
                    changed = middle
            yield low + timedelta(seconds=changed)
        low = high
