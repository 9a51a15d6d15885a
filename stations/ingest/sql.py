"""The SQL of the hot path: set-based statements over arrays, one parameter a column.

Used by the writer only. The same tables have ordinary Django models for everything off the hot path; a test
proves that writer and ORM agree. Locks are taken in one order everywhere: station states by station, then
transactions by id, then connector statuses by key, then progress by transaction.
"""

MESSAGE_COLUMNS = "at, station_id, generation, direction, type, action, message_id, payload"

COPY_MESSAGES = f"COPY stations_ocppmessage ({MESSAGE_COLUMNS}) FROM STDIN"

# The way for batches that may have been written already.
STAGE_MESSAGES = f"""
CREATE TEMPORARY TABLE IF NOT EXISTS staged_ocppmessage ON COMMIT DELETE ROWS
AS SELECT {MESSAGE_COLUMNS} FROM stations_ocppmessage WITH NO DATA
"""  # noqa: S608 - the columns are a constant
COPY_STAGED_MESSAGES = f"COPY staged_ocppmessage ({MESSAGE_COLUMNS}) FROM STDIN"
INSERT_STAGED_MESSAGES = f"""
INSERT INTO stations_ocppmessage ({MESSAGE_COLUMNS})
SELECT {MESSAGE_COLUMNS} FROM staged_ocppmessage n
WHERE NOT EXISTS (
    SELECT 1 FROM stations_ocppmessage o
    WHERE (o.station_id, o.at, o.generation, o.direction, o.type, o.action, o.message_id)
        = (n.station_id, n.at, n.generation, n.direction, n.type, n.action, n.message_id)
)
"""  # noqa: S608 - the columns are a constant

METER_VALUE_COLUMNS = """
tx_month, station_id, transaction_id, evse_id, at, device_at, has_device_time, received_at, measurand, phase,
location, context, unit, value, raw_value, raw_unit, signed
"""

COPY_METER_VALUES = f"COPY stations_metervalue ({METER_VALUE_COLUMNS}) FROM STDIN"

# The way for batches in which a reading was told before.
STAGE_METER_VALUES = f"""
CREATE TEMPORARY TABLE IF NOT EXISTS staged_metervalue ON COMMIT DELETE ROWS
AS SELECT {METER_VALUE_COLUMNS} FROM stations_metervalue WITH NO DATA
"""  # noqa: S608 - the columns are a constant
COPY_STAGED_METER_VALUES = f"COPY staged_metervalue ({METER_VALUE_COLUMNS}) FROM STDIN"
INSERT_STAGED_METER_VALUES = f"""
INSERT INTO stations_metervalue ({METER_VALUE_COLUMNS})
SELECT {METER_VALUE_COLUMNS} FROM staged_metervalue ORDER BY tx_month, transaction_id, device_at, measurand
ON CONFLICT DO NOTHING
"""  # noqa: S608 - the columns are a constant

LOCK_STATES = """
SELECT station_id, connected, gateway_id FROM stations_stationstate WHERE station_id = ANY(%s::bigint[])
ORDER BY station_id FOR UPDATE
"""

# --- starts -----------------------------------------------------------------------------------

FIND_STARTS = """
SELECT k.station_id, k.start_key, t.id, t.ocpp_transaction_id, t.authorization_status, t.received_started_at
FROM unnest(%s::bigint[], %s::text[]) AS k(station_id, start_key)
JOIN stations_transaction t ON t.station_id = k.station_id AND t.start_key = k.start_key
"""

SERIALIZE_STARTS = "SELECT pg_advisory_xact_lock(hashtextextended('magetsi.id_token', %s))"

COUNT_ACTIVE = """
SELECT t.id_token_id, t.station_id, t.evse_id FROM stations_transaction t
WHERE t.id_token_id = ANY(%s::bigint[]) AND t.status = 'active'
"""

SUPERSEDE = """
WITH old AS (
    SELECT t.id, p.at, p.register_wh
    FROM unnest(%s::bigint[], %s::integer[]) AS n(station_id, evse_id)
    JOIN stations_transaction t ON t.station_id = n.station_id AND t.evse_id = n.evse_id AND t.is_current
    LEFT JOIN stations_transactionprogress p ON p.transaction_id = t.id
    ORDER BY t.id
    FOR UPDATE OF t
)
UPDATE stations_transaction t
SET is_current = false, status = 'ended',
    ended_at = GREATEST(t.started_at, COALESCE(old.at, t.started_at)),
    meter_stop_wh = CASE WHEN old.register_wh >= t.meter_start_wh THEN old.register_wh END,
    review_reasons = t.review_reasons || '{superseded,no_stop}'::varchar[]
FROM old WHERE t.id = old.id
RETURNING t.id
"""

INSERT_STARTS = """
INSERT INTO stations_transaction (
    id, ocpp_transaction_id, status, is_current, operator_id, station_id, evse_id, connector_id, start_key,
    id_token_uid, id_token_id, authorization_status, device_started_at, received_started_at, started_at,
    meter_start_wh, reservation_id, review_reasons
)
SELECT n.id, n.id::text, 'active', true, n.operator_id, n.station_id, n.evse_id, n.connector_id, n.start_key,
       n.id_token_uid, (SELECT k.id FROM accounts_idtoken k WHERE k.id = n.id_token_id),
       n.authorization_status, n.device_at, n.received_at, n.started_at, n.meter_start_wh, n.reservation_id,
       string_to_array(n.reasons, ',')::varchar[]
FROM (
    SELECT nextval(pg_get_serial_sequence('stations_transaction', 'id')) AS id, u.*
    FROM unnest(
        %s::bigint[], %s::bigint[], %s::integer[], %s::integer[], %s::text[], %s::text[], %s::bigint[],
        %s::text[], %s::timestamptz[], %s::timestamptz[], %s::timestamptz[], %s::bigint[], %s::bigint[],
        %s::text[]
    ) AS u(operator_id, station_id, evse_id, connector_id, start_key, id_token_uid, id_token_id,
           authorization_status, device_at, received_at, started_at, meter_start_wh, reservation_id, reasons)
) n
RETURNING station_id, start_key, id, ocpp_transaction_id, authorization_status, received_started_at
"""

TOUCH_TOKENS = """
UPDATE accounts_idtoken t SET last_used_at = u.at
FROM unnest(%s::bigint[], %s::timestamptz[]) AS u(id, at)
WHERE t.id = u.id AND (t.last_used_at IS NULL OR t.last_used_at < u.at)
"""

# --- stops ------------------------------------------------------------------------------------

FIND_ENDS = """
SELECT t.station_id, t.ocpp_transaction_id, t.id, t.status, t.received_ended_at IS NOT NULL,
       t.device_ended_at, t.meter_stop_wh, t.meter_start_wh, t.started_at, t.review_reasons
FROM unnest(%s::bigint[], %s::text[]) AS k(station_id, ocpp_transaction_id)
JOIN stations_transaction t
  ON t.station_id = k.station_id AND t.ocpp_transaction_id = k.ocpp_transaction_id AND NOT t.orphan
ORDER BY t.id
FOR UPDATE OF t
"""

FIND_CURRENT = """
SELECT t.station_id, t.ocpp_transaction_id, t.id_token_uid, t.started_at, t.meter_start_wh
FROM stations_transaction t
WHERE t.station_id = ANY(%s::bigint[]) AND t.is_current
"""

FIND_TOLD_ENDS = """
SELECT k.station_id, k.end_key, t.ocpp_transaction_id
FROM unnest(%s::bigint[], %s::text[], %s::timestamptz[], %s::bigint[])
  AS k(station_id, end_key, device_at, meter_stop_wh)
JOIN stations_transaction t
  ON t.station_id = k.station_id AND NOT t.orphan AND t.received_ended_at IS NOT NULL
 AND t.meter_stop_wh = k.meter_stop_wh AND t.device_ended_at IS NOT DISTINCT FROM k.device_at
"""

UPDATE_ENDS = """
UPDATE stations_transaction t
SET status = 'ended', is_current = false, device_ended_at = u.device_at, received_ended_at = u.received_at,
    ended_at = u.ended_at, meter_stop_wh = u.meter_stop_wh, stop_reason = u.reason,
    stop_id_token_uid = u.id_token_uid, review_reasons = string_to_array(u.reasons, ',')::varchar[]
FROM unnest(
    %s::bigint[], %s::timestamptz[], %s::timestamptz[], %s::timestamptz[], %s::bigint[], %s::text[], %s::text[],
    %s::text[]
) AS u(id, device_at, received_at, ended_at, meter_stop_wh, reason, id_token_uid, reasons)
WHERE t.id = u.id
"""

INSERT_ORPHANS = """
INSERT INTO stations_transaction (
    operator_id, station_id, evse_id, connector_id, ocpp_transaction_id, start_key, orphan, status, is_current,
    device_ended_at, received_started_at, received_ended_at, started_at, ended_at, meter_stop_wh, stop_reason,
    stop_id_token_uid, review_reasons
)
SELECT u.operator_id, u.station_id, 0, 0, u.ocpp_transaction_id, u.end_key, true, 'ended', false,
       u.device_at, u.received_at, u.received_at, u.ended_at, u.ended_at, u.meter_stop_wh, u.reason,
       u.id_token_uid, '{unknown_transaction}'
FROM unnest(
    %s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[],
    %s::timestamptz[], %s::bigint[], %s::text[], %s::text[]
) AS u(operator_id, station_id, ocpp_transaction_id, end_key, device_at, received_at, ended_at, meter_stop_wh,
       reason, id_token_uid)
ON CONFLICT (station_id, start_key) DO NOTHING
RETURNING id
"""

ADD_REVIEW_REASONS = """
UPDATE stations_transaction t
SET review_reasons = (
    SELECT array_agg(DISTINCT r)::varchar[]
    FROM unnest(t.review_reasons || string_to_array(u.reasons, ',')::varchar[]) AS r
)
FROM unnest(%s::bigint[], %s::text[]) AS u(id, reasons)
WHERE t.id = u.id
"""

INSERT_OUTBOX = """
INSERT INTO base_outboxitem (topic, key, payload)
SELECT u.topic, u.transaction_id::text, jsonb_build_object('transaction_id', u.transaction_id)
FROM unnest(%s::text[], %s::bigint[]) AS u(topic, transaction_id)
"""

# --- status, boot, progress ----------------------------------------------------------------------

INSERT_EVSES = """
INSERT INTO stations_evse (station_id, evse_id)
SELECT DISTINCT u.station_id, u.evse_id FROM unnest(%s::bigint[], %s::integer[]) AS u(station_id, evse_id)
ORDER BY 1, 2
ON CONFLICT DO NOTHING
"""

INSERT_CONNECTORS = """
INSERT INTO stations_connector (evse_id, connector_id)
SELECT DISTINCT e.id, u.connector_id
FROM unnest(%s::bigint[], %s::integer[], %s::integer[]) AS u(station_id, evse_id, connector_id)
JOIN stations_evse e ON e.station_id = u.station_id AND e.evse_id = u.evse_id
ORDER BY 1, 2
ON CONFLICT DO NOTHING
"""

UPSERT_STATUSES = """
INSERT INTO stations_connectorstatus
    (station_id, evse_id, connector_id, status, error_code, vendor_error_code, info, status_at)
SELECT * FROM unnest(
    %s::bigint[], %s::integer[], %s::integer[], %s::text[], %s::text[], %s::text[], %s::text[], %s::timestamptz[]
) AS u(station_id, evse_id, connector_id, status, error_code, vendor_error_code, info, status_at)
ORDER BY 1, 2, 3
ON CONFLICT (station_id, evse_id, connector_id) DO UPDATE
SET status = EXCLUDED.status, error_code = EXCLUDED.error_code, vendor_error_code = EXCLUDED.vendor_error_code,
    info = EXCLUDED.info, status_at = EXCLUDED.status_at
"""

UPDATE_STATION_STATUSES = """
UPDATE stations_stationstate s
SET status = u.status, error_code = u.error_code, status_info = u.info, status_at = u.status_at
FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::timestamptz[])
  AS u(station_id, status, error_code, info, status_at)
WHERE s.station_id = u.station_id
"""

UPDATE_BOOTS = """
UPDATE stations_stationstate s
SET booted_at = u.at, boot_count = s.boot_count + (s.booted_at IS DISTINCT FROM u.at)::integer, vendor = u.vendor, model = u.model,
    serial_number = u.serial_number, firmware_version = u.firmware_version
FROM unnest(%s::bigint[], %s::timestamptz[], %s::text[], %s::text[], %s::text[], %s::text[])
  AS u(station_id, at, vendor, model, serial_number, firmware_version)
WHERE s.station_id = u.station_id
RETURNING s.station_id, s.boot_count
"""

# A firmware update waits to hear which version it came to; at all other boots this finds nothing in an empty index.
TELL_BOOTS = """
INSERT INTO base_outboxitem (topic, key, payload)
SELECT 'station.firmware_booted', f.id::text,
       jsonb_build_object('at', to_char(u.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), 'version', u.version)
FROM unnest(%s::bigint[], %s::timestamptz[], %s::text[]) AS u(station_id, at, version)
JOIN stations_firmwareupdate f ON f.station_id = u.station_id AND f.awaits_boot
"""

UPSERT_PROGRESS = """
INSERT INTO stations_transactionprogress AS p (transaction_id, at, register_wh, power_w, soc_percent)
SELECT * FROM unnest(%s::bigint[], %s::timestamptz[], %s::bigint[], %s::bigint[], %s::smallint[])
  AS u(transaction_id, at, register_wh, power_w, soc_percent)
ORDER BY 1
ON CONFLICT (transaction_id) DO UPDATE
SET at = EXCLUDED.at, register_wh = COALESCE(EXCLUDED.register_wh, p.register_wh),
    power_w = COALESCE(EXCLUDED.power_w, p.power_w), soc_percent = COALESCE(EXCLUDED.soc_percent, p.soc_percent)
WHERE p.at <= EXCLUDED.at
"""

TOUCH_STATES = """
UPDATE stations_stationstate s
SET last_seen_at = GREATEST(s.last_seen_at, u.at)
FROM unnest(%s::bigint[], %s::timestamptz[]) AS u(station_id, at)
WHERE s.station_id = u.station_id
"""

COUNT_REPAIRS = """
INSERT INTO stations_stationrepair AS r (station_id, day, kind, times)
SELECT u.station_id, (now() AT TIME ZONE 'UTC')::date, u.kind, u.times
FROM unnest(%s::bigint[], %s::text[], %s::bigint[]) AS u(station_id, kind, times)
WHERE EXISTS (SELECT 1 FROM stations_chargingstation s WHERE s.id = u.station_id)
ORDER BY 1, 3
ON CONFLICT (station_id, day, kind) DO UPDATE SET times = r.times + EXCLUDED.times
"""

# --- connections -----------------------------------------------------------------------------

# The same gateway and moment are the same socket, written again after a commit whose answer was lost.
OPEN_CONNECTIONS = """
WITH opened AS (
    INSERT INTO stations_stationstate AS s
        (station_id, generation, connected, gateway_id, protocol, connected_at, last_seen_at)
    SELECT u.station_id, 1, true, u.gateway_id, u.protocol, u.at, u.at
    FROM unnest(%s::bigint[], %s::uuid[], %s::text[], %s::integer[], %s::text[], %s::timestamptz[])
      AS u(station_id, gateway_id, protocol, security_profile, remote_address, at)
    ORDER BY 1
    ON CONFLICT (station_id) DO UPDATE
    SET generation = s.generation + ((s.gateway_id, s.connected_at)
            IS DISTINCT FROM (EXCLUDED.gateway_id, EXCLUDED.connected_at))::integer,
        connected = true, gateway_id = EXCLUDED.gateway_id,
        protocol = EXCLUDED.protocol, connected_at = EXCLUDED.connected_at, last_seen_at = EXCLUDED.last_seen_at
    RETURNING s.station_id, s.generation, s.boot_count, s.vendor, s.model, s.firmware_version
)
SELECT o.station_id, o.generation, o.boot_count, EXISTS (
    SELECT 1 FROM stations_command q WHERE q.station_id = o.station_id AND q.status = 'queued'
), o.vendor, o.model, o.firmware_version
FROM opened o
"""

# Another process still holds an older socket of these stations.
FENCE = """
SELECT pg_notify('magetsi_fence', u.station_id || ':' || u.generation)
FROM unnest(%s::bigint[], %s::bigint[]) AS u(station_id, generation)
"""

INSERT_CONNECTIONS = """
INSERT INTO stations_connection
    (station_id, generation, gateway_id, protocol, security_profile, remote_address, opened_at)
SELECT * FROM unnest(
    %s::bigint[], %s::bigint[], %s::uuid[], %s::text[], %s::integer[], %s::text[], %s::timestamptz[]
)
ON CONFLICT DO NOTHING
"""

CLOSE_CONNECTIONS = """
WITH closed AS (
    SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::timestamptz[])
      AS u(station_id, generation, reason, at)
), ended AS (
    UPDATE stations_connection c SET closed_at = closed.at, close_reason = closed.reason
    FROM closed
    WHERE c.station_id = closed.station_id AND c.generation = closed.generation AND c.closed_at IS NULL
)
UPDATE stations_stationstate s SET connected = false, disconnected_at = closed.at
FROM closed
WHERE s.station_id = closed.station_id AND s.generation = closed.generation AND s.connected
"""

# --- the rest --------------------------------------------------------------------------------

UPSERT_UNKNOWN_TOKENS = """
INSERT INTO accounts_unknownidtoken AS k
    (operator_id, uid, uid_folded, station_identity, first_seen_at, last_seen_at)
SELECT u.operator_id, u.uid, u.uid_folded, u.station_identity, u.at, u.at
FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::timestamptz[])
  AS u(operator_id, uid, uid_folded, station_identity, at)
ORDER BY 1, 3
ON CONFLICT (operator_id, uid_folded) DO UPDATE
SET last_seen_at = EXCLUDED.last_seen_at, times_seen = k.times_seen + 1,
    station_identity = EXCLUDED.station_identity
"""

# Let in now from where it was turned away before: whatever was wrong is mended. An attempt from elsewhere stays
# on the list, since it may be somebody else's. In the order in which refusals are written.
RESOLVE_HANDSHAKE_FAILURES = """
UPDATE stations_handshakefailure h SET resolved_at = now()
FROM (
    SELECT f.id FROM stations_handshakefailure f
    JOIN unnest(%s::bigint[], %s::text[], %s::timestamptz[]) AS u(station_id, remote_address, at)
      ON f.station_id = u.station_id AND f.remote_address = u.remote_address AND f.last_at <= u.at
    WHERE f.resolved_at IS NULL
    ORDER BY f.identity, f.reason, f.remote_address
    FOR UPDATE OF f
) mended
WHERE h.id = mended.id
"""

UPSERT_HANDSHAKE_FAILURES = """
INSERT INTO stations_handshakefailure AS h
    (operator_id, station_id, identity, reason, detail, remote_address, subprotocols, first_at, last_at)
SELECT u.operator_id, u.station_id, u.identity, u.reason, u.detail, u.remote_address, u.subprotocols, u.at, u.at
FROM unnest(
    %s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::timestamptz[]
) AS u(operator_id, station_id, identity, reason, detail, remote_address, subprotocols, at)
ORDER BY 3, 4, 6
ON CONFLICT (identity, reason, remote_address) WHERE resolved_at IS NULL DO UPDATE
SET last_at = EXCLUDED.last_at, times = h.times + 1, detail = EXCLUDED.detail
"""

QUARANTINE = """
INSERT INTO stations_quarantinedfact (station_id, action, message_id, payload, error) VALUES (%s, %s, %s, %s, %s)
"""

MAKE_PARTITIONS = """
SELECT stations_make_partitions(parent, (now() AT TIME ZONE 'UTC')::date - 31, 5)
FROM unnest(ARRAY['stations_metervalue', 'stations_ocppmessage']) AS parent
"""

# --- gateway ---------------------------------------------------------------------------------

RENEW_LEASE = """
INSERT INTO stations_gateway (id, host, pid, lease_until)
VALUES (%(id)s, %(host)s, %(pid)s, now() + make_interval(secs => %(lease_s)s))
ON CONFLICT (id) DO UPDATE SET lease_until = EXCLUDED.lease_until
"""

# After a lapse of the lease that was not the end of the process.
REASSERT_PRESENCE = """
WITH ours AS (
    SELECT * FROM unnest(%s::bigint[], %s::bigint[]) AS u(station_id, generation)
), reopened AS (
    UPDATE stations_connection c SET closed_at = NULL, close_reason = ''
    FROM ours
    WHERE c.station_id = ours.station_id AND c.generation = ours.generation AND c.close_reason = 'gateway_lost'
)
UPDATE stations_stationstate s SET connected = true
FROM ours
WHERE s.station_id = ours.station_id AND s.generation = ours.generation AND NOT s.connected
"""

NEWER_GENERATIONS = """
SELECT s.station_id, s.generation
FROM unnest(%s::bigint[], %s::bigint[]) AS u(station_id, generation)
JOIN stations_stationstate s ON s.station_id = u.station_id AND s.generation > u.generation
"""

END_LEASE = "UPDATE stations_gateway SET lease_until = now() WHERE id = %s"

FIND_STATION = """
SELECT s.id, s.operator_id, s.identity, s.registration_status, s.security_profile, s.password_hash,
       s.previous_password_hash, s.previous_password_until, s.accepts_literal_hex, s.assumes_ocpp16,
       COALESCE(l.time_zone, o.time_zone), s.offered_security_profile
FROM stations_chargingstation s
JOIN accounts_operator o ON o.id = s.operator_id
LEFT JOIN stations_location l ON l.id = s.location_id
WHERE s.identity = %s
"""

# Whom a station's operator trusts, what its certificate may be called, and what we know of this one.
FIND_CLIENT_TRUST = """
SELECT ARRAY(SELECT certificate FROM stations_certificateauthority ORDER BY id),
       ARRAY(SELECT pem FROM stations_trustedca WHERE operator_id = %s ORDER BY id),
       COALESCE((SELECT serial_number FROM stations_stationstate WHERE station_id = %s), ''),
       c.id, c.revoked_at, c.installed_at IS NOT NULL AND c.removed_at IS NULL
FROM (SELECT 1) one
LEFT JOIN LATERAL (
    SELECT id, revoked_at, installed_at, removed_at FROM stations_stationcertificate
    WHERE station_id = %s AND use = 'client' AND fingerprint = %s
    ORDER BY revoked_at NULLS LAST, id LIMIT 1
) c ON true
"""

_TRANSACTION = """
SELECT t.id, t.ocpp_transaction_id, t.evse_id, t.connector_id, t.received_started_at, t.meter_start_wh,
       p.register_wh, t.is_current
FROM stations_transaction t
LEFT JOIN stations_transactionprogress p ON p.transaction_id = t.id
"""
FIND_TRANSACTION = (
    f"{_TRANSACTION} WHERE t.station_id = %s AND NOT t.orphan AND t.ocpp_transaction_id = %s"
)
CURRENT_TRANSACTIONS = f"{_TRANSACTION} WHERE t.station_id = %s AND t.is_current"
