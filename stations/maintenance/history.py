"""What a station reported of a job, in order, on the job's own row."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from cms.base import outbox
from cms.base.errors import Conflict, Invalid
from cms.base.time import rfc3339
from stations.models import ChargingStation, Command

# A station that repeats itself for ever fills no row.
MAX_ENTRIES = 200
_INT_MAX = 2**31 - 1


def add_report(history: list[Any], status: str, at: datetime, **more: Any) -> bool:
    """Add an entry unless the same message has added it before; returns whether it did."""
    entry = {"status": status, "at": rfc3339(at), **more}
    if entry in history:
        return False
    history.append(entry)
    if len(history) > MAX_ENTRIES:
        # How it began and how it is going; what fell out lies between.
        del history[MAX_ENTRIES // 2]
    return True


def was_reported(rows: QuerySet[Any], status: str, at: datetime) -> bool:
    """Whether the same message was added to one of these before; it must not count for the next one too."""
    return rows.filter(history__contains=[{"status": status, "at": rfc3339(at)}]).exists()


def lock_jobs(station_id: int) -> bool:
    """Serialise what is decided about a station's jobs; False if the station is gone. Within a transaction."""
    stations = ChargingStation.objects.select_for_update(no_key=True).filter(pk=station_id)
    return stations.first() is not None


def check_request_id(rows: QuerySet[Any], command: Command, request_id: int) -> None:
    """Refuse an id that the station's jobs of this kind have had.

    Raises:
        Invalid: no column and no station could hold it.
        Conflict: it was used before.
    """
    if not -_INT_MAX <= request_id <= _INT_MAX:
        raise Invalid.fields({"payload.requestId": [f"This must be at most {_INT_MAX}."]})
    # Its row is locked, so nobody takes the id meanwhile.
    lock_jobs(command.station_id)
    if rows.filter(station_id=command.station_id, request_id=request_id).exists():
        raise Conflict(
            "This station was given this requestId already. Leave it out to get a new one.",
            code="request_id_used",
        )


def tell_pages(station_id: int) -> None:
    """Let open pages know; in the transaction of the change."""
    assert transaction.get_connection().in_atomic_block  # noqa: S101
    outbox.enqueue("station.upkeep_changed", str(station_id))
