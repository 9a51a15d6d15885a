"""Partitions of the time series: made ahead, dropped when past the retention."""

import re
from datetime import date, timedelta

from django.conf import settings
from django.db import connection
from django.utils import timezone

PARTITIONED_TABLES = ("stations_metervalue", "stations_ocppmessage")
MONTHS_AHEAD = 3


def maintain_partitions(today: date | None = None) -> list[str]:
    """Make the partitions of last month to three months ahead; drop those past the retention.

    Returns the names of dropped tables. Idempotent.
    """
    today = today or timezone.now().date()
    first = (today.replace(day=1) - timedelta(days=1)).replace(day=1)
    oldest_kept = _months_before(today, settings.TIME_SERIES_RETENTION_MONTHS)
    dropped = []
    with connection.cursor() as cursor:
        for table in PARTITIONED_TABLES:
            cursor.execute(
                "SELECT stations_make_partitions(%s, %s, %s)", [table, first, MONTHS_AHEAD + 2]
            )
            cursor.execute(
                "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
                " WHERE i.inhparent = %s::regclass",
                [table],
            )
            for (name,) in cursor.fetchall():
                month = _month_of(table, name)
                if month is not None and month < oldest_kept:
                    cursor.execute(f"DROP TABLE {connection.ops.quote_name(name)}")
                    dropped.append(name)
    return dropped


def _months_before(day: date, months: int) -> date:
    index = day.year * 12 + day.month - 1 - months
    return date(index // 12, index % 12 + 1, 1)


def _month_of(table: str, partition: str) -> date | None:
    match = re.fullmatch(rf"{table}_(\d{{4}})_(\d{{2}})", partition)
    return date(int(match[1]), int(match[2]), 1) if match else None
