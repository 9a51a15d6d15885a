"""What happens to transactions beside what their station says: a stop found its start, a stop never came."""

from django.db import connection, transaction
from django.utils.translation import gettext as _

from cms.base import outbox
from cms.base.errors import Conflict
from stations.models import Transaction

# A free connector for so long, and the transaction there is over whatever became of its stop. What waits in the
# station's queue is told within minutes of a new connection.
FREE_FOR = "1 hour"
# A station that is away may charge on; after so long nobody believes it.
AWAY_FOR = "7 days"

_CLOSE_STUCK = """
WITH stuck AS (
    SELECT t.id, t.started_at, t.meter_start_wh, p.at, p.register_wh
    FROM stations_transaction t
    JOIN stations_stationstate s ON s.station_id = t.station_id
    LEFT JOIN stations_transactionprogress p ON p.transaction_id = t.id
    LEFT JOIN stations_connectorstatus c
      ON (c.station_id, c.evse_id, c.connector_id) = (t.station_id, t.evse_id, t.connector_id)
    WHERE t.is_current AND (
        s.connected AND c.status = 'Available'
            AND c.status_at > GREATEST(t.started_at, COALESCE(p.at, t.started_at))
            AND GREATEST(c.status_at, s.connected_at, t.received_started_at) < now() - %(free_for)s::interval
        OR NOT s.connected AND GREATEST(s.last_seen_at, t.received_started_at) < now() - %(away_for)s::interval
    )
    ORDER BY t.id
    FOR UPDATE OF t SKIP LOCKED
), closed AS (
    UPDATE stations_transaction t
    SET is_current = false, status = 'ended',
        ended_at = GREATEST(stuck.started_at, COALESCE(stuck.at, stuck.started_at)),
        meter_stop_wh = CASE WHEN stuck.register_wh >= stuck.meter_start_wh THEN stuck.register_wh END,
        review_reasons = t.review_reasons || '{no_stop,estimated}'::varchar[]
    FROM stuck WHERE t.id = stuck.id
    RETURNING t.id
)
INSERT INTO base_outboxitem (topic, key, payload)
SELECT 'transaction.ended', id::text, jsonb_build_object('transaction_id', id) FROM closed
"""


def close_stuck_transactions() -> int:
    """End what is plainly over though no stop came, by the last reading; returns how many. Idempotent.

    The rule: the station is connected and has called the connector Available for an hour since the last reading;
    or it has been away for a week. The end is marked as estimated and goes to review; a stop that comes later,
    from a queue, replaces it and takes the marks away.

    Source: OCPP 1.6 errata v4.0, 3.18; RELIABILITY §3 (no StopTransaction at all).
    """
    with connection.cursor() as cursor:
        cursor.execute(_CLOSE_STUCK, {"free_for": FREE_FOR, "away_for": AWAY_FOR})
        return int(cursor.rowcount)


@transaction.atomic
def join_stop(*, stop: Transaction, tx: Transaction) -> Transaction:
    """Write the stop that `stop` (an orphan) was made for to the transaction that it ended.

    The orphan stays as evidence and no longer asks for a review.

    Raises:
        Conflict: `tx` has a stop, or is of another station.
    """
    locked = {
        row.pk: row
        for row in Transaction.objects.select_for_update()
        .filter(pk__in=[stop.pk, tx.pk])
        .order_by("pk")
    }
    stop, tx = locked[stop.pk], locked[tx.pk]
    if not stop.orphan or tx.orphan or tx.station_id != stop.station_id:
        raise Conflict(_("This is no stop of that transaction."), code="cannot_join")
    if tx.received_ended_at is not None:
        raise Conflict(_("That transaction has a stop already."), code="has_stop")
    reasons = [r for r in tx.review_reasons if r not in ("no_stop", "estimated", "superseded")]
    tx.status, tx.is_current = "ended", False
    tx.device_ended_at, tx.received_ended_at = stop.device_ended_at, stop.received_ended_at
    tx.ended_at = max(stop.ended_at or tx.started_at, tx.started_at)
    tx.meter_stop_wh, tx.stop_reason = stop.meter_stop_wh, stop.stop_reason
    tx.stop_id_token_uid, tx.review_reasons = stop.stop_id_token_uid, reasons
    tx.save(
        update_fields=[
            "status",
            "is_current",
            "device_ended_at",
            "received_ended_at",
            "ended_at",
            "meter_stop_wh",
            "stop_reason",
            "stop_id_token_uid",
            "review_reasons",
        ]
    )
    stop.review_reasons = []
    stop.save(update_fields=["review_reasons"])
    outbox.enqueue("transaction.ended", str(tx.pk), {"transaction_id": tx.pk})
    return tx
