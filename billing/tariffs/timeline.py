"""A session cut into stretches in which nothing changes that a price could depend on.

Time is counted in microseconds since the session began, energy in Wh since then; both are integers, or fractions where
a cut falls between readings, so that no rounding happens before the last step.

Who uses the time (REST "Tariffs and prices"), first rule that fits:

    SuspendedEVSE                                   held: the station's doing, neither TIME nor PARKING_TIME
    SuspendedEV, Finishing                          parked
    100 W or more on average between two readings   charging
    Faulted, Unavailable                            held: the car takes none, but not of its own accord
    anything else, or no status at all              parked

The registers at start and stop are readings too. A register counts whole Wh, and 100 W move it once in 36 s: a
stretch under 100 W that is shorter than that says nothing and counts as charging, unless the whole session took no
energy. Without this, reading a meter often would look like many short pauses.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from enum import Enum
from fractions import Fraction
from typing import Generic, NamedTuple, TypeVar

from billing.tariffs.facts import FINISHING, SUSPENDED_EV, SUSPENDED_EVSE, SessionFacts

SECOND_US = 1_000_000
HOUR_US = 3600 * SECOND_US
IDLE_POWER_W = 100
# In this time IDLE_POWER_W moves a register of whole Wh by one.
RESOLUTION_US = HOUR_US // IDLE_POWER_W

_PARKED = frozenset({SUSPENDED_EV, FINISHING})
_OUT_OF_ORDER = frozenset({"Faulted", "Unavailable"})
_MICROSECOND = timedelta(microseconds=1)

Exact = int | Fraction
Point = tuple[int, int]
T = TypeVar("T")


class Activity(Enum):
    """What the car does with the time."""

    CHARGING = "charging"
    PARKED = "parked"
    HELD = "held"
    GRACE = "grace"


class Segment(NamedTuple):
    """A stretch of a session. `rise_wh` in `span_us` is the pair of readings around it: its average power."""

    start_us: Exact
    end_us: Exact
    start_wh: Exact
    end_wh: Exact
    activity: Activity
    rise_wh: int
    span_us: int


class Flow(NamedTuple):
    """From one point to another, whether energy flows, and the average power as `rise_wh` in `span_us`."""

    start: Point
    end: Point
    flowing: bool
    rise_wh: int
    span_us: int


class Steps(NamedTuple, Generic[T]):
    """A value that holds from each moment to the next: sorted times beside their values."""

    times: list[int]
    values: list[T]

    def at(self, us: Exact) -> T | None:
        """None before the first."""
        index = bisect_right(self.times, us)
        return self.values[index - 1] if index else None


def since(start: datetime, at: datetime) -> int:
    """Microseconds from `start` to `at`."""
    return (at - start) // _MICROSECOND


def steps(start: datetime, events: Iterable[tuple[datetime, T]]) -> Steps[T]:
    """Events in any order; of several at one moment the last given counts."""
    ordered = sorted(
        ((since(start, at), value) for at, value in events), key=lambda event: event[0]
    )
    return Steps([us for us, _ in ordered], [value for _, value in ordered])


def knots(facts: SessionFacts) -> list[Point]:
    """(us, Wh) from start to the last register, never falling, with strictly later times in between.

    Readings outside the session's time or registers, or below an earlier one, do not count.
    """
    known_until = facts.ended_at
    if facts.metered_until is not None:
        known_until = min(max(facts.metered_until, facts.started_at), facts.ended_at)
    end_us, energy_wh = since(facts.started_at, known_until), facts.energy_wh
    kept = [(0, 0)]
    register = (
        (since(facts.started_at, at), wh - facts.meter_start_wh) for at, wh in facts.readings
    )
    for us, wh in sorted(register):
        if not (0 < us < end_us and kept[-1][1] <= wh <= energy_wh):
            continue
        if us == kept[-1][0]:
            kept.pop()
        kept.append((us, wh))
    kept.append((end_us, energy_wh))
    return kept


def segments(
    facts: SessionFacts,
    *,
    at_us: Iterable[Exact] = (),
    at_wh: Iterable[Exact] = (),
    by_reading: bool = True,
) -> Iterator[Segment]:
    """The session in order, cut at readings, at changes of status, and at the given moments and energies.

    At least one segment comes out, of no length if the session had none; no energy is ever lost. Who asks for neither
    power nor energy on the way can do without cuts at readings (`by_reading=False`): activities and totals are the
    same, and there are far fewer segments.
    """
    status = steps(facts.started_at, facts.statuses)
    points = knots(facts)
    moments = sorted({*status.times, *at_us})
    energies = sorted(set(at_wh))
    flows = list(_flows(points, by_reading=by_reading))
    end = (since(facts.started_at, facts.ended_at), facts.energy_wh)
    if points[-1] != end:
        flows.append(flows[-1]._replace(start=points[-1], end=end))
    for flow in flows:
        cuts = _cuts(flow.start, flow.end, moments, energies)
        for (us, wh), (next_us, next_wh) in zip(cuts, cuts[1:], strict=False):
            activity = _activity(status.at(us), flow.flowing or not facts.measured)
            yield Segment(us, next_us, wh, next_wh, activity, flow.rise_wh, flow.span_us)


def _flows(points: Sequence[Point], *, by_reading: bool) -> Iterator[Flow]:
    """Each pair of neighbouring points, or each run of pairs alike, and whether energy flows between them."""
    pairs = list(zip(points, points[1:], strict=False))
    if points[-1][1] == 0:
        # Where nothing has been read since the start, nothing says that the car takes none.
        yield _flow(points[0], points[-1], points[-1][0] == 0)
        return
    weak = [(b[1] - a[1]) * HOUR_US < IDLE_POWER_W * (b[0] - a[0]) for a, b in pairs]
    first = 0
    while first < len(pairs):
        last = first
        while last + 1 < len(pairs) and weak[last + 1] == weak[first]:
            last += 1
        start, end = pairs[first][0], pairs[last][1]
        flowing = not weak[first] or end[0] - start[0] < RESOLUTION_US
        if by_reading:
            yield from (_flow(before, after, flowing) for before, after in pairs[first : last + 1])
        else:
            yield _flow(start, end, flowing)
        first = last + 1


def _flow(start: Point, end: Point, flowing: bool) -> Flow:
    return Flow(start, end, flowing, end[1] - start[1], end[0] - start[0])


def _cuts(
    start: Point,
    end: Point,
    moments: Sequence[Exact],
    energies: Sequence[Exact],
) -> list[tuple[Exact, Exact]]:
    """The points from `start` to `end` where the straight line between them is to be cut, both ends included."""
    (us, wh), (end_us, end_wh) = start, end
    inner_us = moments[bisect_right(moments, us) : bisect_left(moments, end_us)]
    inner_wh = energies[bisect_right(energies, wh) : bisect_left(energies, end_wh)]
    if not (inner_us or inner_wh):
        return [start, end]
    rise_wh, span_us = end_wh - wh, end_us - us
    inner = [(cut, wh + _ratio(rise_wh * (cut - us), span_us)) for cut in inner_us]
    inner += [(us + _ratio(span_us * (cut - wh), rise_wh), cut) for cut in inner_wh]
    return [start, *sorted(inner), end]


def _ratio(numerator: Exact, denominator: int) -> Exact:
    exact = Fraction(numerator, denominator)
    return exact.numerator if exact.denominator == 1 else exact


def _activity(status: str | None, flowing: bool) -> Activity:
    if status == SUSPENDED_EVSE:
        return Activity.HELD
    if status in _PARKED:
        return Activity.PARKED
    if flowing:
        return Activity.CHARGING
    return Activity.HELD if status in _OUT_OF_ORDER else Activity.PARKED


def after_grace(stretches: Iterable[Segment], grace_us: int) -> Iterator[Segment]:
    """The first `grace_us` of parked time, wherever in the session it lies, turned into GRACE."""
    left: Exact = grace_us
    for segment in stretches:
        length = segment.end_us - segment.start_us
        if segment.activity is not Activity.PARKED or not left:
            yield segment
        elif length <= left:
            left -= length
            yield segment._replace(activity=Activity.GRACE)
        else:
            us = segment.start_us + left
            rise = segment.end_wh - segment.start_wh
            wh = segment.start_wh + rise * Fraction(left) / Fraction(length)
            yield segment._replace(end_us=us, end_wh=wh, activity=Activity.GRACE)
            yield segment._replace(start_us=us, start_wh=wh)
            left = 0


def idle_s(facts: SessionFacts) -> int:
    """Whole seconds in which the car took no energy of its own accord, before any grace."""
    return _seconds(facts, Activity.PARKED)


def charging_s(facts: SessionFacts) -> int:
    """Whole seconds in which energy flowed."""
    return _seconds(facts, Activity.CHARGING)


def _seconds(facts: SessionFacts, activity: Activity) -> int:
    total = sum(
        s.end_us - s.start_us for s in segments(facts, by_reading=False) if s.activity is activity
    )
    return int(total // SECOND_US)
