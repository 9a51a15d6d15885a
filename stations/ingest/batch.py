"""One transaction of the writer: facts of many stations, written with a statement per kind of row."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeVar
from uuid import UUID

from psycopg import AsyncConnection

from stations.ingest import sql
from stations.ingest.copytext import message_rows, meter_value_rows
from stations.ingest.facts import (
    LIFECYCLE,
    BootReported,
    ConnectionClosed,
    ConnectionOpened,
    EndOutcome,
    EndResult,
    Fact,
    HandshakeRefused,
    LifecycleFact,
    MessageSeen,
    MeterReported,
    OpenResult,
    Result,
    StartResult,
    StatusReported,
    TransactionEnded,
    TransactionStarted,
    UnknownTokenSeen,
)

F = TypeVar("F")
Connectors = set[tuple[int, int, int]]

CONCURRENT_TX = "ConcurrentTx"
UNKNOWN_TRANSACTION = "unknown_transaction"
# What was assumed while there was no stop that named its transaction; such a stop makes up for it.
_ASSUMED = ("superseded", "no_stop", "estimated", UNKNOWN_TRANSACTION, "meter_stop_below_start")
ACCEPTED = "Accepted"


class Batch:
    """Writes `facts` in one transaction; `results[i]` is then the result of `facts[i]`.

    `known_connectors` are those whose rows are known to exist; the batch adds the ones it makes, after its
    commit. `told_before` says that some of it may be in the database already, where a plain COPY fails or doubles.
    """

    def __init__(
        self, facts: Sequence[Fact], known_connectors: Connectors, *, told_before: bool = False
    ) -> None:
        self.results: list[Result] = [None] * len(facts)
        self.changed_stations: set[int] = set()
        self._known_connectors = known_connectors
        self._made_connectors: Connectors = set()
        self._told_before = told_before
        # The gateways that hold the locked stations' sockets.
        self._held_by: dict[int, UUID] = {}
        self._by_kind: dict[type, list[tuple[int, Any]]] = defaultdict(list)
        for index, fact in enumerate(facts):
            self._by_kind[type(fact)].append((index, fact))

    async def write(self, connection: AsyncConnection[Any]) -> None:
        """Write everything and commit. Raises psycopg errors with nothing written."""
        async with connection.transaction():
            await self._write_readings(connection)
            await self._lock_states(connection)
            await self._write_connections(connection)
            await self._write_boots(connection)
            await self._write_starts(connection)
            await self._write_ends(connection)
            await self._write_statuses(connection)
            await self._write_progress(connection)
            await self._write_rest(connection)
            await self._write_messages(connection)
        self._known_connectors |= self._made_connectors

    def _take(self, kind: type[F]) -> list[tuple[int, F]]:
        return self._by_kind.get(kind, [])

    # --- time series ------------------------------------------------------------------------

    async def _write_readings(self, connection: AsyncConnection[Any]) -> None:
        rows = meter_value_rows(report for _, report in self._take(MeterReported))
        if not rows:
            return
        if not self._told_before:
            await _copy(connection, sql.COPY_METER_VALUES, rows)
            return
        await connection.execute(sql.STAGE_METER_VALUES)
        await _copy(connection, sql.COPY_STAGED_METER_VALUES, rows)
        await connection.execute(sql.INSERT_STAGED_METER_VALUES)

    async def _write_messages(self, connection: AsyncConnection[Any]) -> None:
        rows = message_rows(message for _, message in self._take(MessageSeen))
        if not rows:
            return
        if not self._told_before:
            await _copy(connection, sql.COPY_MESSAGES, rows)
            return
        await connection.execute(sql.STAGE_MESSAGES)
        await _copy(connection, sql.COPY_STAGED_MESSAGES, rows)
        await connection.execute(sql.INSERT_STAGED_MESSAGES)

    # --- states -----------------------------------------------------------------------------

    async def _lock_states(self, connection: AsyncConnection[Any]) -> None:
        lifecycle: list[tuple[int, LifecycleFact]] = []
        for kind in LIFECYCLE:
            lifecycle += self._take(kind)
        stations = {fact.station_id for _, fact in lifecycle}
        stations |= {fact.station_id for _, fact in self._take(StatusReported) if fact.evse_id == 0}
        if stations:
            self.changed_stations |= stations
            held = await _fetch(connection, sql.LOCK_STATES, [sorted(stations)])
            self._held_by = {row[0]: row[2] for row in held if row[1]}

    async def _write_connections(self, connection: AsyncConnection[Any]) -> None:
        opened = self._take(ConnectionOpened)
        if opened:
            facts = [fact for _, fact in opened]
            columns = _columns(
                facts,
                "station_id gateway_id protocol security_profile remote_address at",
            )
            rows = await _fetch(connection, sql.OPEN_CONNECTIONS, columns)
            result_of = {row[0]: OpenResult(*row[1:]) for row in rows}
            for index, fact in opened:
                self.results[index] = result_of[fact.station_id]
            generations = [result_of[fact.station_id].generation for fact in facts]
            held_elsewhere = [
                (fact.station_id, result_of[fact.station_id].generation)
                for fact in facts
                if self._held_by.get(fact.station_id, fact.gateway_id) != fact.gateway_id
            ]
            if held_elsewhere:
                fence = [list(column) for column in zip(*held_elsewhere, strict=True)]
                await connection.execute(sql.FENCE, fence)
            await connection.execute(
                sql.INSERT_CONNECTIONS, [columns[0], generations, *columns[1:]]
            )
            await connection.execute(
                sql.RESOLVE_HANDSHAKE_FAILURES, _columns(facts, "station_id remote_address at")
            )
        closed = [fact for _, fact in self._take(ConnectionClosed)]
        if closed:
            await connection.execute(
                sql.CLOSE_CONNECTIONS, _columns(closed, "station_id generation reason at")
            )

    async def _write_boots(self, connection: AsyncConnection[Any]) -> None:
        boots = self._take(BootReported)
        if boots:
            rows = await _fetch(
                connection,
                sql.UPDATE_BOOTS,
                _columns(
                    (fact for _, fact in boots),
                    "station_id at vendor model serial_number firmware_version",
                ),
            )
            await connection.execute(
                sql.TELL_BOOTS,
                _columns((fact for _, fact in boots), "station_id at firmware_version"),
            )
            counts = dict(rows)
            for index, fact in boots:
                self.results[index] = counts.get(fact.station_id)

    async def _write_statuses(self, connection: AsyncConnection[Any]) -> None:
        statuses = {
            (s.station_id, s.evse_id, s.connector_id): s for _, s in self._take(StatusReported)
        }
        if not statuses:
            return
        self.changed_stations.update(key[0] for key in statuses)
        of_stations = [s for s in statuses.values() if s.evse_id == 0]
        if of_stations:
            await connection.execute(
                sql.UPDATE_STATION_STATUSES,
                _columns(of_stations, "station_id status error_code info status_at"),
            )
        of_connectors = [s for s in statuses.values() if s.evse_id != 0]
        if not of_connectors:
            return
        new = [
            s for key, s in statuses.items() if key[1] != 0 and key not in self._known_connectors
        ]
        if new:
            await connection.execute(sql.INSERT_EVSES, _columns(new, "station_id evse_id"))
            await connection.execute(
                sql.INSERT_CONNECTORS, _columns(new, "station_id evse_id connector_id")
            )
            self._made_connectors = {(s.station_id, s.evse_id, s.connector_id) for s in new}
        await connection.execute(
            sql.UPSERT_STATUSES,
            _columns(
                of_connectors,
                "station_id evse_id connector_id status error_code vendor_error_code info status_at",
            ),
        )

    async def _write_progress(self, connection: AsyncConnection[Any]) -> None:
        newest: dict[int, Any] = {}
        reasons: list[tuple[int, str]] = []
        for _, report in self._take(MeterReported):
            if report.transaction_id is None:
                continue
            if report.review_reasons:
                reasons.append((report.transaction_id, ",".join(report.review_reasons)))
            if report.progress is not None:
                self.changed_stations.add(report.station_id)
                before = newest.get(report.transaction_id)
                if before is None or before.at <= report.progress.at:
                    newest[report.transaction_id] = report.progress
        if newest:
            columns = [
                list(newest),
                *_columns(newest.values(), "at register_wh power_w soc_percent"),
            ]
            await connection.execute(sql.UPSERT_PROGRESS, columns)
        if reasons:
            await connection.execute(
                sql.ADD_REVIEW_REASONS, [list(c) for c in zip(*reasons, strict=True)]
            )

    # --- starts -----------------------------------------------------------------------------

    async def _write_starts(self, connection: AsyncConnection[Any]) -> None:
        starts = self._take(TransactionStarted)
        if not starts:
            return
        known = await self._find_starts(connection, [fact for _, fact in starts])
        new: dict[tuple[int, str], TransactionStarted] = {}
        for _, fact in starts:
            key = (fact.station_id, fact.start_key)
            if key not in known:
                new.setdefault(key, fact)
        if new:
            judged = await self._limit_concurrency(connection, list(new.values()))
            superseded = await _fetch(
                connection, sql.SUPERSEDE, _columns(judged, "station_id evse_id")
            )
            rows = await _fetch(connection, sql.INSERT_STARTS, self._start_columns(judged))
            topics = ["transaction.ended"] * len(superseded) + ["transaction.started"] * len(rows)
            ids = [row[0] for row in superseded] + [row[2] for row in rows]
            await connection.execute(sql.INSERT_OUTBOX, [topics, ids])
            known |= {(row[0], row[1]): _start_result(row, created=True) for row in rows}
            await self._touch_tokens(connection, judged)
        for index, fact in starts:
            self.results[index] = known[fact.station_id, fact.start_key]

    async def _find_starts(
        self, connection: AsyncConnection[Any], starts: list[TransactionStarted]
    ) -> dict[tuple[int, str], StartResult]:
        rows = await _fetch(connection, sql.FIND_STARTS, _columns(starts, "station_id start_key"))
        return {(row[0], row[1]): _start_result(row, created=False) for row in rows}

    async def _limit_concurrency(
        self, connection: AsyncConnection[Any], starts: list[TransactionStarted]
    ) -> list[TransactionStarted]:
        """Turn Accepted into ConcurrentTx where a token already has its number of transactions."""
        limited = sorted(
            {s.id_token_id for s in starts if s.max_concurrent is not None and s.id_token_id}
        )
        if not limited:
            return starts
        for id_token_id in limited:
            await connection.execute(sql.SERIALIZE_STARTS, [id_token_id])
        given_way = {(s.station_id, s.evse_id) for s in starts}
        active: dict[int, int] = defaultdict(int)
        for id_token_id, station_id, evse_id in await _fetch(
            connection, sql.COUNT_ACTIVE, [limited]
        ):
            active[id_token_id] += (station_id, evse_id) not in given_way
        judged = []
        for start in starts:
            limit = start.max_concurrent
            if limit is None or start.id_token_id is None:
                judged.append(start)
                continue
            over = active[start.id_token_id] >= limit
            active[start.id_token_id] += 1
            refused = over and start.authorization_status == ACCEPTED
            judged.append(replace(start, authorization_status=CONCURRENT_TX) if refused else start)
        return judged

    @staticmethod
    def _start_columns(starts: list[TransactionStarted]) -> list[list[Any]]:
        columns = _columns(
            starts,
            "operator_id station_id evse_id connector_id start_key id_token_uid id_token_id"
            " authorization_status device_at received_at started_at meter_start_wh reservation_id",
        )
        return [*columns, [",".join(s.review_reasons) for s in starts]]

    @staticmethod
    async def _touch_tokens(
        connection: AsyncConnection[Any], starts: list[TransactionStarted]
    ) -> None:
        used: dict[int, Any] = {}
        for start in starts:
            if start.id_token_id is not None:
                used[start.id_token_id] = max(
                    start.received_at, used.get(start.id_token_id, start.received_at)
                )
        if used:
            ids = sorted(used)
            await connection.execute(sql.TOUCH_TOKENS, [ids, [used[i] for i in ids]])

    # --- stops ------------------------------------------------------------------------------

    async def _write_ends(self, connection: AsyncConnection[Any]) -> None:
        ends = self._take(TransactionEnded)
        if not ends:
            return
        named = await self._name_ends(connection, ends)
        keys = _columns((fact for _, fact in named), "station_id ocpp_transaction_id")
        known = {(row[0], row[1]): row for row in await _fetch(connection, sql.FIND_ENDS, keys)}
        updates: list[list[Any]] = []
        topics: list[tuple[str, int]] = []
        reviews: list[tuple[int, str]] = []
        orphans: list[TransactionEnded] = []
        for index, end in named:
            row = known.get((end.station_id, end.ocpp_transaction_id))
            if row is None:
                orphans.append(end)
                self.results[index] = EndResult(None, EndOutcome.ORPHAN)
            elif row[4] and not _was_guessed(end, row):
                self.results[index] = EndResult(row[2], EndOutcome.DUPLICATE)
                if (row[5], row[6]) != (end.device_at, end.meter_stop_wh):
                    reviews.append((row[2], "conflicting_stop"))
            else:
                self.results[index] = EndResult(row[2], EndOutcome.ENDED)
                updates.append(_end_update(end, row))
                topics.append(
                    ("transaction.ended" if row[3] == "active" else "transaction.corrected", row[2])
                )
        if updates:
            await connection.execute(sql.UPDATE_ENDS, [list(c) for c in zip(*updates, strict=True)])
        if reviews:
            await connection.execute(
                sql.ADD_REVIEW_REASONS, [list(c) for c in zip(*reviews, strict=True)]
            )
            topics += [("transaction.corrected", transaction_id) for transaction_id, _ in reviews]
        if orphans:
            rows = await _fetch(
                connection,
                sql.INSERT_ORPHANS,
                _columns(
                    orphans,
                    "operator_id station_id ocpp_transaction_id end_key device_at received_at ended_at"
                    " meter_stop_wh reason id_token_uid",
                ),
            )
            topics += [("transaction.ended", row[0]) for row in rows]
        if topics:
            await connection.execute(
                sql.INSERT_OUTBOX, [list(c) for c in zip(*topics, strict=True)]
            )

    async def _name_ends(
        self, connection: AsyncConnection[Any], ends: list[tuple[int, TransactionEnded]]
    ) -> list[tuple[int, TransactionEnded]]:
        """Give a stop without a usable id (-1, 0) to the station's one open transaction, for review.

        One that was told before keeps the transaction it was given to; one that cannot be the end of what is
        open, by its time or its register, is given to nobody.

        Source: OCPP 1.6 errata v4.0, 3.18: a station that never learned the id sends -1.
        """
        nameless = [fact for _, fact in ends if _is_nameless(fact)]
        if not nameless:
            return ends
        columns = _columns(nameless, "station_id end_key device_at meter_stop_wh")
        told = {(r[0], r[1]): r[2] for r in await _fetch(connection, sql.FIND_TOLD_ENDS, columns)}
        current: dict[int, list[Any]] = defaultdict(list)
        for row in await _fetch(connection, sql.FIND_CURRENT, [columns[0]]):
            current[row[0]].append(row)
        named = []
        for index, fact in ends:
            if _is_nameless(fact):
                open_here = current[fact.station_id]
                name = told.get((fact.station_id, fact.end_key))
                if name is None and len(open_here) == 1 and _may_end(fact, open_here[0]):
                    name = open_here[0][1]
                if name is not None:
                    reasons = (*fact.review_reasons, UNKNOWN_TRANSACTION)
                    fact = replace(fact, ocpp_transaction_id=name, review_reasons=reasons)
            named.append((index, fact))
        return named

    # --- the rest ---------------------------------------------------------------------------

    async def _write_rest(self, connection: AsyncConnection[Any]) -> None:
        unknown = {(u.operator_id, u.uid_folded): u for _, u in self._take(UnknownTokenSeen)}
        if unknown:
            await connection.execute(
                sql.UPSERT_UNKNOWN_TOKENS,
                _columns(unknown.values(), "operator_id uid uid_folded station_identity at"),
            )
        refused = {
            (h.identity, h.reason, h.remote_address): h for _, h in self._take(HandshakeRefused)
        }
        if refused:
            await connection.execute(
                sql.UPSERT_HANDSHAKE_FAILURES,
                _columns(
                    refused.values(),
                    "operator_id station_id identity reason detail remote_address subprotocols at",
                ),
            )


def _start_result(row: tuple[Any, ...], *, created: bool) -> StartResult:
    """From a row of `sql.FIND_STARTS` or `sql.INSERT_STARTS`."""
    _, _, transaction_id, ocpp_transaction_id, status, received_at = row
    return StartResult(transaction_id, ocpp_transaction_id, status, received_at, created)


def _is_nameless(end: TransactionEnded) -> bool:
    return not end.ocpp_transaction_id.isdigit() or end.ocpp_transaction_id == "0"


def _may_end(end: TransactionEnded, row: tuple[Any, ...]) -> bool:
    """Whether a stop that names none may be the end of the transaction in `row` of `sql.FIND_CURRENT`."""
    _, _, id_token_uid, started_at, meter_start_wh = row
    return (
        end.id_token_uid.casefold() in ("", id_token_uid.casefold())
        and end.ended_at >= started_at
        and (meter_start_wh is None or end.meter_stop_wh >= meter_start_wh)
    )


def _was_guessed(end: TransactionEnded, row: tuple[Any, ...]) -> bool:
    """Whether the end in `row` of `sql.FIND_ENDS` named no transaction, and this one names it."""
    return UNKNOWN_TRANSACTION in row[9] and UNKNOWN_TRANSACTION not in end.review_reasons


def _end_update(end: TransactionEnded, row: tuple[Any, ...]) -> list[Any]:
    """The columns of `sql.UPDATE_ENDS` for a stop of the transaction in `row` of `sql.FIND_ENDS`."""
    meter_start_wh, started_at, open_reasons = row[7], row[8], row[9]
    reasons = [r for r in open_reasons if r not in _ASSUMED]
    reasons += [r for r in end.review_reasons if r not in reasons]
    if meter_start_wh is not None and end.meter_stop_wh < meter_start_wh:
        reasons.append("meter_stop_below_start")
    return [
        row[2],
        end.device_at,
        end.received_at,
        max(end.ended_at, started_at),
        end.meter_stop_wh,
        end.reason,
        end.id_token_uid,
        ",".join(reasons),
    ]


def _columns(facts: Iterable[Any], names: str) -> list[list[Any]]:
    """One list for each named attribute, in the order of `facts`."""
    rows = list(facts)
    return [[getattr(row, name) for row in rows] for name in names.split()]


async def _fetch(
    connection: AsyncConnection[Any], query: str, parameters: Sequence[Any]
) -> list[tuple[Any, ...]]:
    cursor = await connection.execute(query, parameters)
    return await cursor.fetchall()


async def _copy(connection: AsyncConnection[Any], statement: str, rows: str) -> None:
    async with connection.cursor() as cursor, cursor.copy(statement) as copy:
        await copy.write(rows)
