"""Presence that outlives a gateway process: whose lease lapsed holds no sockets."""

from django.db import connection

_SWEEP = """
WITH dead AS (
    SELECT s.station_id FROM stations_stationstate s
    LEFT JOIN stations_gateway g ON g.id = s.gateway_id
    WHERE s.connected AND (g.id IS NULL OR g.lease_until < now())
    ORDER BY s.station_id
    FOR UPDATE OF s SKIP LOCKED
), closed AS (
    UPDATE stations_connection c SET closed_at = now(), close_reason = 'gateway_lost'
    FROM dead WHERE c.station_id = dead.station_id AND c.closed_at IS NULL
)
UPDATE stations_stationstate s SET connected = false, disconnected_at = now()
FROM dead WHERE s.station_id = dead.station_id
"""


def sweep_presence() -> int:
    """Mark the stations of gateways whose lease lapsed as disconnected; returns how many."""
    with connection.cursor() as cursor:
        cursor.execute(_SWEEP)
        ended: int = cursor.rowcount
    return ended
