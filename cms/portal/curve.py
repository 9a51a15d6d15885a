"""The power of a session over time, as points of an SVG line."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from billing.sessions.evidence import REGISTER
from stations.models import Transaction
from stations.selectors.transactions import meter_values_of

WIDTH = 1000
HEIGHT = 200
# More points than a screen has columns show nothing more.
MOST_POINTS = 500
_POWER = "Power.Active.Import"

Samples = list[tuple[datetime, Decimal]]


@dataclass(frozen=True, slots=True)
class Curve:
    """`line` and `area` are SVG point lists in a box of WIDTH × HEIGHT.

    The box spans the session, also where nothing was measured; `peak_w` is its top.
    """

    line: str
    area: str
    peak_w: int
    starts_at: datetime
    ends_at: datetime
    from_registers: bool


def power_curve(tx: Transaction) -> Curve | None:
    """From the reported power, else from the differences of the energy register; None without two points."""
    rows = (
        meter_values_of(tx)
        .filter(measurand__in=[_POWER, REGISTER], phase__isnull=True)
        .order_by("at", "id")
        .values_list("measurand", "at", "value")
    )
    reported: Samples = []
    registers: Samples = []
    for measurand, at, value in rows:
        (reported if measurand == _POWER else registers).append((at, value))
    from_registers = len(reported) < 2
    samples = _power_between(registers) if from_registers else reported
    samples = _thinned(samples)
    if len(samples) < 2:
        return None
    starts_at = min(tx.started_at, samples[0][0])
    ends_at = max(tx.ended_at or samples[-1][0], samples[-1][0])
    return _drawn(samples, starts_at, ends_at, from_registers) if starts_at < ends_at else None


def _power_between(registers: Samples) -> Samples:
    """Average watts between two readings, each at its later end; steps back are left out."""
    powers: Samples = []
    for (at, wh), (later, more_wh) in zip(registers, registers[1:], strict=False):
        seconds = Decimal((later - at).total_seconds())
        if seconds > 0 and more_wh >= wh:
            powers.append((later, (more_wh - wh) * 3600 / seconds))
    return powers


def _thinned(samples: Samples) -> Samples:
    """Every n-th sample, and the last."""
    step = -(-len(samples) // MOST_POINTS)
    return samples if step <= 1 else [*samples[:-1:step], samples[-1]]


def _drawn(samples: Samples, starts_at: datetime, ends_at: datetime, from_registers: bool) -> Curve:
    span_s = (ends_at - starts_at).total_seconds()
    peak_w = max(1, max(int(value) for _, value in samples))
    points = [
        (
            round((at - starts_at).total_seconds() / span_s * WIDTH, 1),
            round(HEIGHT - max(0.0, float(value)) / peak_w * HEIGHT, 1),
        )
        for at, value in samples
    ]
    line = " ".join(f"{x},{y}" for x, y in points)
    return Curve(
        line=line,
        area=f"{points[0][0]},{HEIGHT} {line} {points[-1][0]},{HEIGHT}",
        peak_w=peak_w,
        starts_at=starts_at,
        ends_at=ends_at,
        from_registers=from_registers,
    )
