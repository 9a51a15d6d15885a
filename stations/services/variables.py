"""Settings of stations, as they told them and as they took them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from stations.commands.secrets import is_secret_key
from stations.maintenance.history import lock_jobs, tell_pages
from stations.models import StationVariable


@dataclass(frozen=True, slots=True)
class Reading:
    """One setting. `value` None: the station gave none. `readonly` None: it did not say."""

    variable: str
    value: str | None
    readonly: bool | None = None
    component: str = ""
    pending_reboot: bool = False


@transaction.atomic
def note_variables(
    *,
    station_id: int,
    at: datetime,
    readings: Iterable[Reading],
    unknown: Iterable[str] = (),
    is_all: bool = False,
) -> None:
    """Keep what a station told or took at a time; what was noted later stays. Idempotent.

    Names compare without case (OCPP 1.6 §7.31, CiString). `unknown` are names that it does not have; with `is_all`
    it has nothing but the readings. Secrets are kept as names without a value.
    """
    if not lock_jobs(station_id):
        return
    rows = StationVariable.objects.filter(station_id=station_id)
    known = {_key(row.component, row.variable): row for row in rows}
    told = {_key(reading.component, reading.variable): reading for reading in readings}
    for key, reading in told.items():
        _note(known.get(key), reading, station_id=station_id, at=at)
    gone = set(known) - set(told) if is_all else {_key("", name) for name in unknown} - set(told)
    for key in gone & set(known):
        if known[key].at <= at:
            known[key].delete()
    tell_pages(station_id)


def _note(row: StationVariable | None, reading: Reading, *, station_id: int, at: datetime) -> None:
    if row is None:
        row = StationVariable(
            station_id=station_id, component=reading.component, variable=reading.variable
        )
    elif row.at > at:
        return
    row.value = None if is_secret_key(reading.variable) else reading.value
    row.readonly = row.readonly if reading.readonly is None else reading.readonly
    row.pending_reboot, row.at = reading.pending_reboot, at
    row.save()


def _key(component: str, variable: str) -> tuple[str, str]:
    return component.casefold(), variable.casefold()
