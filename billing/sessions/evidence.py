"""From rows to the facts that a price is made of: registers, readings, currents, statuses."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from django.db.models import Q

from billing.tariffs.facts import SessionFacts
from billing.tariffs.tariff import Tariff
from cms.base.time import rfc3339
from stations.models import MeterValue, Transaction
from stations.selectors.status_changes import status_changes

REGISTER = "Energy.Active.Import.Register"
CURRENT = "Current.Import"
_PHASES = frozenset({"L1", "L2", "L3"})
# Where a station measures at several places, the one that the driver sees counts (OCPP 1.6 §7.30).
_OUTLET = "Outlet"


@dataclass(slots=True)
class Samples:
    """What a station told during a transaction, ascending: (at, Wh), (at, A over all phases), (at, status)."""

    registers: list[tuple[datetime, int]] = field(default_factory=list)
    currents: list[tuple[datetime, Decimal]] = field(default_factory=list)
    statuses: list[tuple[datetime, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Evidence:
    """A transaction and the facts made of it; what a CDR keeps of them is `to_json()`."""

    transaction: Transaction
    facts: SessionFacts

    def to_json(self) -> dict[str, Any]:
        """`reported` is the transaction as it was; the rest is what the price was made of."""
        facts = self.facts
        return {
            "reported": reported(self.transaction),
            "meter_start_wh": facts.meter_start_wh,
            "meter_stop_wh": facts.meter_stop_wh,
            "time_zone": facts.time_zone,
            "readings": [[rfc3339(at), wh] for at, wh in facts.readings],
            "currents": [[rfc3339(at), current] for at, current in facts.currents],
            "statuses": [[rfc3339(at), status] for at, status in facts.statuses],
        }


def reported(tx: Transaction) -> dict[str, Any]:
    """What a later correction would change."""
    return {
        "started_at": rfc3339(tx.started_at),
        "ended_at": rfc3339(tx.ended_at) if tx.ended_at else None,
        "meter_start_wh": tx.meter_start_wh,
        "meter_stop_wh": tx.meter_stop_wh,
    }


def gather(
    transactions: Iterable[Transaction], *, now: datetime, with_currents: Collection[int] = ()
) -> dict[int, Samples]:
    """Samples by transaction; currents only for those in `with_currents`. Two or three queries in all."""
    wanted = {tx.pk: tx for tx in transactions}
    samples = {pk: Samples() for pk in wanted}
    for pk, registers in _registers(wanted.values()).items():
        samples[pk].registers = registers
    for pk, currents in _currents(wanted[pk] for pk in with_currents if pk in wanted).items():
        samples[pk].currents = currents
    for pk, changes in status_changes(wanted.values(), now=now).items():
        samples[pk].statuses = [(change.at, change.status) for change in changes]
    return samples


def final_evidence(tx: Transaction, samples: Samples, *, energy_wh: int | None = None) -> Evidence:
    """The facts of an ended transaction. `energy_wh` replaces the difference of its registers.

    An end before its start, which only a person lets pass, counts as no time at all. Both registers must
    be known unless `energy_wh` is given.

    Raises:
        RatingRefused: the facts contradict each other.
    """
    start_wh = tx.meter_start_wh or 0
    stop_wh = start_wh + energy_wh if energy_wh is not None else tx.meter_stop_wh
    if stop_wh is None or tx.ended_at is None:
        raise ValueError("the transaction has no end that could be priced")
    return _evidence(tx, samples, max(tx.ended_at, tx.started_at), start_wh, stop_wh)


def running_evidence(tx: Transaction, samples: Samples, *, now: datetime) -> Evidence:
    """The facts so far. The newest register counts as of `now`: what follows it is not known yet."""
    progress = getattr(tx, "progress", None)
    known = Samples(
        [(at, wh) for at, wh in samples.registers if progress and at < progress.at],
        samples.currents,
        samples.statuses,
    )
    end = max(now, tx.started_at)
    return _evidence(tx, known, end, tx.meter_start_wh or 0, register_so_far(tx))


def register_so_far(tx: Transaction) -> int:
    """The newest register of a running transaction; one below the start's counts from the start."""
    start_wh = tx.meter_start_wh or 0
    progress = getattr(tx, "progress", None)
    if progress is None or progress.register_wh is None:
        return start_wh
    register_wh: int = progress.register_wh
    return register_wh if register_wh >= start_wh else start_wh + register_wh


def uses_current(tariff: Tariff) -> bool:
    """Whether some element asks for the current."""
    return any(
        element.restrictions is not None
        and (element.restrictions.min_current, element.restrictions.max_current) != (None, None)
        for element in tariff.elements
    )


def _evidence(
    tx: Transaction, samples: Samples, ended_at: datetime, start_wh: int, stop_wh: int
) -> Evidence:
    station = tx.station
    place = station.location or station.operator
    facts = SessionFacts(
        started_at=tx.started_at,
        ended_at=ended_at,
        meter_start_wh=start_wh,
        meter_stop_wh=stop_wh,
        time_zone=place.time_zone,
        readings=tuple(_on_register(samples.registers, start_wh)),
        statuses=tuple(samples.statuses),
        currents=tuple(samples.currents),
    )
    return Evidence(tx, facts)


def _on_register(
    registers: list[tuple[datetime, int]], start_wh: int
) -> list[tuple[datetime, int]]:
    """Readings on the register of the start; where all lie below it, they count from the start."""
    if registers and all(wh < start_wh for _, wh in registers):
        return [(at, wh + start_wh) for at, wh in registers]
    return registers


def _registers(transactions: Iterable[Transaction]) -> dict[int, list[tuple[datetime, int]]]:
    rows = (
        MeterValue.objects.filter(
            _of(transactions), measurand=REGISTER, unit="Wh", phase__isnull=True
        )
        .order_by("at", "id")
        .values_list("transaction_id", "location", "at", "value")
    )
    places: dict[int | None, dict[str, list[tuple[datetime, int]]]] = {}
    for transaction_id, location, at, value in rows:
        places.setdefault(transaction_id, {}).setdefault(location, []).append((at, int(value)))
    return {pk: by_place[_place(by_place)] for pk, by_place in places.items() if pk is not None}


def _currents(transactions: Iterable[Transaction]) -> dict[int, list[tuple[datetime, Decimal]]]:
    """The sum of the phases; an overall value, where there is one, is never added to its phases."""
    rows = (
        MeterValue.objects.filter(_of(transactions), measurand=CURRENT, unit="A")
        .order_by("at", "id")
        .values_list("transaction_id", "location", "at", "phase", "value")
    )
    places: dict[int | None, dict[str, dict[datetime, dict[str | None, Decimal]]]] = {}
    for transaction_id, location, at, phase, value in rows:
        by_place = places.setdefault(transaction_id, {})
        by_place.setdefault(location, {}).setdefault(at, {})[phase] = value
    return {
        pk: [(at, _total(phases)) for at, phases in by_place[_place(by_place)].items()]
        for pk, by_place in places.items()
        if pk is not None
    }


def _total(phases: dict[str | None, Decimal]) -> Decimal:
    if None in phases:
        return phases[None]
    return sum((value for phase, value in phases.items() if phase in _PHASES), Decimal(0))


def _place(by_place: Collection[str]) -> str:
    return _OUTLET if _OUTLET in by_place else min(by_place)


def _of(transactions: Iterable[Transaction]) -> Q:
    """Rows of these transactions, each looked for in the partition it must be in."""
    by_month: dict[date, list[int]] = {}
    for tx in transactions:
        by_month.setdefault(tx_month(tx), []).append(tx.pk)
    condition = Q(pk__in=[])
    for month, pks in by_month.items():
        condition |= Q(tx_month=month, transaction_id__in=pks)
    return condition


def tx_month(tx: Transaction) -> date:
    """The partition that a transaction's readings lie in: the month of its receipt, UTC."""
    return tx.received_started_at.astimezone(UTC).date().replace(day=1)
