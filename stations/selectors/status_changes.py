"""What a connector said of itself while something went on there."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q

from cms.base.json import loads
from stations.ingest.clock import read_device_time
from stations.models import OcppMessage, Transaction

# How long after the stop a status from before it may still arrive, and how long before the start.
_SLACK = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class StatusChange:
    """One status report; `at` is its effective time, `status` OCPP's word."""

    at: datetime
    status: str


def status_changes(
    transactions: Iterable[Transaction], *, now: datetime
) -> dict[int, list[StatusChange]]:
    """By transaction, the statuses its connector reported between its start and its end (or `now`).

    Ascending by effective time. Read from the raw inbox, because a connector's row holds its last
    status only. One query, however many transactions; bounded by their times of receipt, which are
    also the bounds of the partitions read.
    """
    wanted = {tx.pk: tx for tx in transactions}
    if not wanted:
        return {}
    spans = Q()
    for tx in wanted.values():
        first = min(tx.started_at, tx.received_started_at) - _SLACK
        last = max(tx.ended_at or now, tx.received_ended_at or tx.ended_at or now) + _SLACK
        spans |= Q(station_id=tx.station_id, at__range=(first, last))
    rows = OcppMessage.objects.filter(
        spans, direction="in", type="call", action="StatusNotification"
    ).order_by("at", "id")

    by_station: dict[int, list[tuple[datetime, dict[str, Any]]]] = {}
    for station_id, at, payload in rows.values_list("station_id", "at", "payload"):
        by_station.setdefault(station_id, []).append((at, _object(payload)))
    return {
        pk: _changes_of(tx, by_station.get(tx.station_id, []), now) for pk, tx in wanted.items()
    }


def _changes_of(
    tx: Transaction, reports: list[tuple[datetime, dict[str, Any]]], now: datetime
) -> list[StatusChange]:
    end = tx.ended_at or now
    changes = [
        StatusChange(_effective_at(report.get("timestamp"), received_at), report["status"])
        for received_at, report in reports
        # OCPP 1.6: connector n is EVSE n. The 2.x report has no such status; its charging state
        # travels with the transaction.
        if report.get("connectorId") == tx.evse_id and isinstance(report.get("status"), str)
    ]
    return sorted((c for c in changes if tx.started_at <= c.at <= end), key=lambda c: c.at)


def _effective_at(device_time: Any, received_at: datetime) -> datetime:
    text = device_time if isinstance(device_time, str) else None
    return read_device_time(text, received_at=received_at).effective_at


def _object(payload: str) -> dict[str, Any]:
    try:
        value = loads(payload)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
