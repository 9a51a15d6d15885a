"""MeterValues.req (OCPP 1.6 §4.7)."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from stations.choices import RepairKind
from stations.ingest.facts import MeterReported, Progress, Reading
from stations.ocpp.context import CallContext, KnownTransaction
from stations.ocpp.v16.fields import MAX_CONNECTOR_ID, MAX_WH
from stations.ocpp.v16.readings import ENERGY, read_meter_values

_MEASURED = ("Power.Active.Import", "SoC", ENERGY)
_PHASES = ("L1", "L2", "L3")


async def handle_meter_values(context: CallContext, payload: dict[str, Any]) -> dict[str, Any]:
    """Store every readable sample, with the transaction it belongs to if the station owns one of that id.

    Readings after the stop belong to their transaction still. Connector 0 is the main meter and never counts for
    a transaction (OCPP 1.6 errata v4.0, 3.16). Ids of other stations, 0 and -1 find nothing and change nobody's
    session.
    """
    connector_id = payload["connectorId"]
    tx = await _transaction(context, connector_id, payload.get("transactionId"))
    readings = read_meter_values(context, payload["meterValue"])
    if tx and context.memory.quirks.session_register:
        readings = _from_start_of_session(context, tx, readings)
    if not readings:
        await context.record()
        return {}
    progress = _progress(readings) if tx and tx.active else None
    await context.record(
        MeterReported(
            station_id=context.station.id,
            evse_id=connector_id if 0 <= connector_id <= MAX_CONNECTOR_ID else 0,
            transaction_id=tx.id if tx else None,
            tx_month=tx.month if tx else context.received_at.date().replace(day=1),
            readings=tuple(readings),
            progress=progress,
            review_reasons=_judge(tx, progress) if tx else (),
        )
    )
    return {}


async def _transaction(
    context: CallContext, connector_id: int, transaction_id: int | None
) -> KnownTransaction | None:
    if not 0 < connector_id <= MAX_CONNECTOR_ID:
        return None
    if transaction_id is not None and transaction_id > 0:
        return await context.find_transaction(str(transaction_id), connector_id)
    # None, 0 and -1: the connector says which, if one transaction runs there.
    return await context.find_transaction(None, connector_id)


def _from_start_of_session(
    context: CallContext, tx: KnownTransaction, readings: list[Reading]
) -> list[Reading]:
    """Registers that count from the transaction's start, lifted onto its first one.

    The first reading tells whether this transaction is such a one: a station of that kind with better firmware
    reports registers that are not below the start.
    """
    lifted = []
    for reading in readings:
        if reading.measurand == ENERGY and reading.signed is None and tx.meter_start_wh:
            if tx.counts_from_start is None:
                tx.counts_from_start = reading.value < tx.meter_start_wh
            if tx.counts_from_start:
                context.repair(RepairKind.REGISTERS)
                reading = replace(reading, value=reading.value + tx.meter_start_wh)
        lifted.append(reading)
    return lifted


def _progress(readings: Iterable[Reading]) -> Progress | None:
    """The newest power, register and state of charge among readings; None if there are none of them.

    Where a station measures at several places, the outlet counts, which the driver sees (OCPP 1.6 §7.30); power
    is the sum of its phases where the total is not told.
    """
    told = [r for r in readings if r.measurand in _MEASURED and r.signed is None]
    register = _newest(r for r in told if r.measurand == ENERGY and r.phase is None)
    soc = _newest(r for r in told if r.measurand == "SoC")
    power = _power(r for r in told if r.measurand == "Power.Active.Import")
    measured = [r for r in (register, soc, *power) if r is not None]
    if not measured:
        return None
    power_w = sum((r.value for r in power), Decimal(0)) if power else None
    return Progress(
        at=max(r.at for r in measured),
        register_wh=int(register.value) if register and register.value < MAX_WH else None,
        power_w=int(power_w) if power_w is not None and abs(power_w) < MAX_WH else None,
        soc_percent=int(soc.value) if soc and 0 <= soc.value <= 100 else None,
    )


def _newest(readings: Iterable[Reading]) -> Reading | None:
    """At the outlet where there is one there; the last of equally new ones."""
    chosen: Reading | None = None
    for reading in readings:
        if chosen is None or _rank(chosen) <= _rank(reading):
            chosen = reading
    return chosen


def _rank(reading: Reading) -> tuple[bool, datetime]:
    return reading.location == "Outlet", reading.at


def _power(readings: Iterable[Reading]) -> list[Reading]:
    """The total, or one reading a phase; what is told between two phases is part of both."""
    by_phase: dict[str | None, list[Reading]] = {}
    for reading in readings:
        phase = reading.phase.removesuffix("-N") if reading.phase is not None else None
        by_phase.setdefault(phase, []).append(reading)
    phases = [None] if None in by_phase else [phase for phase in _PHASES if phase in by_phase]
    return [newest for phase in phases if (newest := _newest(by_phase[phase])) is not None]


def _judge(tx: KnownTransaction, progress: Progress | None) -> tuple[str, ...]:
    """Whether the register ran backwards. A station that counts from zero in each session is no such case."""
    if progress is None or progress.register_wh is None:
        return ()
    before, tx.last_register_wh = tx.last_register_wh, progress.register_wh
    if before is not None and progress.register_wh < before:
        return ("meter_decreased",)
    return ()
