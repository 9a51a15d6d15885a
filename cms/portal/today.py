"""The operator's day in figures, and the power of the last 24 hours.

Everything is read from rows whose number a day bounds, through the operator's own indexes: sessions by
their start, bills by their time. Nothing here reads the meter values themselves.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import Case, Count, F, Q, Sum, When
from django.db.models.functions import Coalesce

from accounts.services.actors import Actor
from billing.models import CDR
from stations.models import Transaction

SLOT = timedelta(minutes=30)
SLOTS = 48
# Sessions that began longer ago than this before the first slot are left out of the hours.
LONGEST = timedelta(hours=48)

HOURS_WIDTH = 960
HOURS_HEIGHT = 120


@dataclass(frozen=True, slots=True)
class Today:
    """Since midnight in the operator's time zone. `billed` holds (minor units, currency)."""

    since: datetime
    sessions_count: int
    energy_wh: int
    billed: list[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class Slot:
    """The average power of half an hour, as a bar in a box of HOURS_WIDTH × HOURS_HEIGHT."""

    at: datetime
    power_w: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Hours:
    """The last 24 hours; `peak` is the highest slot. Empty of bars where nobody charged."""

    slots: list[Slot]
    starts_at: datetime
    ends_at: datetime
    peak: Slot | None


def today_of(actor: Actor, *, now: datetime) -> Today:
    """Sessions that began today with their energy, also so far, and what was billed today; two queries."""
    zone = ZoneInfo(actor.operator.time_zone)
    since = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    register_wh, start_wh = F("progress__register_wh"), Coalesce("meter_start_wh", 0)
    so_far = Case(
        # A register that began anew counts from there.
        When(progress__register_wh__lt=start_wh, then=register_wh),
        default=register_wh - start_wh,
    )
    sums = Transaction.objects.filter(operator=actor.operator, started_at__gte=since).aggregate(
        count=Count("pk"),
        ended_wh=Coalesce(Sum("energy_wh", filter=Q(energy_wh__gte=0)), 0),
        running_wh=Coalesce(Sum(so_far, filter=Q(is_current=True)), 0),
    )
    billed = (
        CDR.objects.filter(operator=actor.operator, created_at__gte=since)
        .order_by("currency")
        .values_list("currency")
        .annotate(Sum("gross_minor"))
    )
    return Today(
        since=since,
        sessions_count=sums["count"],
        energy_wh=sums["ended_wh"] + sums["running_wh"],
        billed=[(amount, currency) for currency, amount in billed],
    )


_HOURS = """
WITH charged AS (
    SELECT t.started_at AS begins, COALESCE(t.ended_at, p.at, t.started_at) AS ends,
           COALESCE(t.energy_wh, p.register_wh - COALESCE(t.meter_start_wh, 0)) AS wh
    FROM stations_transaction t
    LEFT JOIN stations_transactionprogress p ON p.transaction_id = t.id
    WHERE t.operator_id = %(operator)s AND t.started_at >= %(oldest)s AND t.started_at < %(ends)s
)
SELECT slot.begins, sum(
    c.wh * extract(epoch FROM least(c.ends, slot.begins + %(slot)s) - greatest(c.begins, slot.begins))
        / extract(epoch FROM c.ends - c.begins)
)
FROM charged c, generate_series(%(first)s::timestamptz, %(last)s::timestamptz, %(slot)s) slot(begins)
WHERE c.wh > 0 AND c.ends > c.begins AND c.begins < slot.begins + %(slot)s AND c.ends > slot.begins
GROUP BY slot.begins ORDER BY slot.begins
"""


def hours_of(actor: Actor, *, now: datetime) -> Hours:
    """Each session's energy spread evenly over its time, in half hours; one query.

    A roll-up of the meter values would show the course within a session; this shows the site's day.
    """
    last = now - (now - datetime.min.replace(tzinfo=now.tzinfo)) % SLOT
    first = last - SLOT * (SLOTS - 1)
    with connection.cursor() as cursor:
        parameters: dict[str, Any] = {
            "operator": actor.operator.pk,
            "oldest": first - LONGEST,
            "first": first,
            "last": last,
            "ends": now,
            "slot": SLOT,
        }
        cursor.execute(_HOURS, parameters)
        energies_wh = dict(cursor.fetchall())
    return _drawn(energies_wh, first, now)


def _drawn(energies_wh: dict[datetime, object], first: datetime, now: datetime) -> Hours:
    powers = {}
    for number in range(SLOTS):
        begins = first + SLOT * number
        spent = min(SLOT, now - begins)
        energy_wh = float(energies_wh.get(begins) or 0)  # type: ignore[arg-type]
        if energy_wh and spent > timedelta(0):
            powers[number] = round(energy_wh * 3600 / spent.total_seconds())
    peak_w = max(powers.values(), default=0)
    step = HOURS_WIDTH / SLOTS
    slots = [
        Slot(
            at=first + SLOT * number,
            power_w=power_w,
            x=round(number * step + 1, 1),
            y=round(HOURS_HEIGHT * (1 - power_w / peak_w), 1),
            width=round(step - 2, 1),
            height=round(HOURS_HEIGHT * power_w / peak_w, 1),
        )
        for number, power_w in powers.items()
        if peak_w
    ]
    peak = max(slots, key=lambda slot: slot.power_w, default=None)
    return Hours(slots=slots, starts_at=first, ends_at=first + SLOT * SLOTS, peak=peak)
