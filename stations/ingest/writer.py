"""The one writer of a gateway process: natural group commit.

While a commit is under way the next facts gather; then all go in one transaction. Under low load a fact is
committed at once, under high load batches form by themselves. `record` returns after the commit, so that a reply
which follows it never promises what is not stored.

When the database refuses:

    a reading told before (23505)      the batch again, readings by the slower way that skips those told before
    no partition (23514)               partitions are made, the batch again
    bad data (SQLSTATE 22, 23)         the batch is halved until the offender stands alone; it is kept raw in
                                       quarantine and its handler gets FactQuarantined
    a lock held elsewhere (40, 55)     the batch is halved; one that still waits goes to a side lane that tries
                                       again until it can be written, so that the others are not kept waiting
    the server is gone (08, 53, 57 …)  everything waits and is tried again, as if it might be written already;
                                       nobody gets a reply meanwhile
"""

import asyncio
import contextlib
import logging
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

import psycopg
from psycopg import AsyncConnection

from stations.choices import RepairKind
from stations.ingest import sql
from stations.ingest.batch import Batch, Connectors
from stations.ingest.facts import LIFECYCLE, Fact, MessageSeen, Result

logger = logging.getLogger(__name__)

MAX_BATCH_FACTS = 2000
MAX_WAITING_TRACES = 20_000
RETRY_S = 0.5
TOUCH_INTERVAL_S = 5.0
LOCK_TIMEOUT_MS = 200

Connect = Callable[[], Awaitable[AsyncConnection[Any]]]


class FactQuarantined(Exception):
    """The database refuses these facts for ever; they are kept raw. The station is to be answered all the same."""


class Entry:
    """Facts that are written together, and the future of their results; None where nobody waits."""

    __slots__ = ("facts", "future", "stations")

    def __init__(self, facts: Sequence[Fact], future: asyncio.Future[list[Result]] | None) -> None:
        self.facts = facts
        self.future = future
        # Only lifecycle facts are looked at, and each of them has a station.
        self.stations = {cast(Any, f).station_id for f in facts if type(f) in LIFECYCLE}

    def resolve(self, results: list[Result]) -> None:
        """Hand the results to whoever waits."""
        if self.future is not None and not self.future.done():
            self.future.set_result(results)

    def fail(self, error: Exception) -> None:
        """Tell whoever waits that it will not be written."""
        if self.future is not None and not self.future.done():
            self.future.set_exception(error)


class Writer:
    """Commits facts in batches over one connection. `connect` opens a connection to PostgreSQL.

    `on_commit` is called after each commit with the ids of stations whose state changed.
    """

    def __init__(self, connect: Connect, on_commit: Callable[[set[int]], None]) -> None:
        self._connect = connect
        self._on_commit = on_commit
        self._waiting: deque[Entry] = deque()
        self._traces: deque[MessageSeen] = deque(maxlen=MAX_WAITING_TRACES)
        self._seen: dict[int, datetime] = {}
        self._repairs: Counter[tuple[int, str]] = Counter()
        self._touched_at = 0.0
        self._known_connectors: Connectors = set()
        self._wake = asyncio.Event()
        self._connection: AsyncConnection[Any] | None = None
        self._task: asyncio.Task[None] | None = None
        self._side_lane: set[asyncio.Task[None]] = set()
        self._stopping = False

    async def start(self) -> None:
        """Connect and begin to write. Raises psycopg.OperationalError if there is no database."""
        self._connection = await self._open()
        self._task = asyncio.create_task(self._run(), name="writer")

    async def stop(self) -> None:
        """Write what is waiting and end."""
        self._stopping = True
        self._touched_at = 0.0
        self._wake.set()
        if self._task is not None:
            await self._task
        if self._side_lane:
            await asyncio.wait(self._side_lane, timeout=5)
        for task in self._side_lane:
            task.cancel()
        if self._connection is not None:
            await self._connection.close()

    async def record(self, *facts: Fact) -> list[Result]:
        """Write facts together and return their results, in order, after the commit.

        Waits for as long as the database is away. Raises FactQuarantined for facts that it will never take.
        """
        future: asyncio.Future[list[Result]] = asyncio.get_running_loop().create_future()
        self._waiting.append(Entry(facts, future))
        self._wake.set()
        return await future

    def trace(self, message: MessageSeen) -> None:
        """Write a frame some time soon; it may be lost if the process dies."""
        self._traces.append(message)
        self._wake.set()

    def saw(self, station_id: int, at: datetime) -> None:
        """A frame came from this station; written at most every few seconds."""
        self._seen[station_id] = at

    def repaired(self, station_id: int, repairs: Mapping[RepairKind, int]) -> None:
        """Something in a station's message had to be put right or left out; counted with `saw`."""
        for kind, times in repairs.items():
            self._repairs[station_id, kind] += times

    # --- the loop ---------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TOUCH_INTERVAL_S):
                    await self._wake.wait()
            self._wake.clear()
            while entries := self._next_entries():
                await self._commit(entries)
            await self._touch()
            if self._stopping and not self._waiting and not self._traces:
                return

    def _next_entries(self) -> list[Entry]:
        """What goes into the next transaction: at most one lifecycle fact of a station."""
        entries: list[Entry] = []
        stations: set[int] = set()
        held_back: list[Entry] = []
        size = 0
        while self._waiting and size < MAX_BATCH_FACTS:
            entry = self._waiting.popleft()
            if not stations.isdisjoint(entry.stations):
                held_back.append(entry)
                continue
            stations |= entry.stations
            entries.append(entry)
            size += len(entry.facts)
        self._waiting.extendleft(reversed(held_back))
        traces: list[Fact] = []
        while self._traces and size < MAX_BATCH_FACTS:
            traces.append(self._traces.popleft())
            size += 1
        if traces:
            entries.append(Entry(traces, None))
        return entries

    async def _commit(self, entries: list[Entry], *, told_before: bool = False) -> None:
        """Write entries, come what may; returns when each is written, quarantined or in the side lane."""
        made_partitions = False
        while True:
            try:
                await self._write(await self._usable_connection(), entries, told_before)
            except psycopg.errors.UniqueViolation as error:
                if (
                    not told_before
                    and error.diag.constraint_name
                    and "metervalue" in error.diag.constraint_name
                ):
                    told_before = True
                    continue
                await self._divide(entries, error, told_before)
            except psycopg.errors.CheckViolation as error:
                if error.diag.constraint_name is None and not made_partitions:
                    made_partitions = await self._make_partitions()
                    continue
                await self._divide(entries, error, told_before)
            except (psycopg.DataError, psycopg.IntegrityError) as error:
                await self._divide(entries, error, told_before)
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                if error.sqlstate and error.sqlstate[:2] in ("40", "55"):
                    await self._divide(entries, error, told_before)
                    return
                logger.warning("the database cannot be written to, trying again: %s", error)
                await self._drop_connection()
                await asyncio.sleep(RETRY_S)
                # What was lost may have been no more than the answer to our commit.
                told_before = True
                continue
            except Exception as error:  # noqa: BLE001 - whatever it is, the writer never dies of one fact
                await self._divide(entries, error, told_before)
            return

    async def _write(
        self, connection: AsyncConnection[Any], entries: list[Entry], told_before: bool
    ) -> None:
        facts = [fact for entry in entries for fact in entry.facts]
        batch = Batch(facts, self._known_connectors, told_before=told_before)
        await batch.write(connection)
        results = iter(batch.results)
        for entry in entries:
            entry.resolve([next(results) for _ in entry.facts])
        if batch.changed_stations:
            self._on_commit(batch.changed_stations)

    async def _divide(self, entries: list[Entry], error: Exception, told_before: bool) -> None:
        if len(entries) > 1:
            middle = len(entries) // 2
            await self._commit(entries[:middle], told_before=told_before)
            await self._commit(entries[middle:], told_before=told_before)
            return
        [entry] = entries
        if isinstance(error, psycopg.OperationalError):
            task = asyncio.create_task(self._write_alone(entry), name="writer side lane")
            self._side_lane.add(task)
            task.add_done_callback(self._side_lane.discard)
        elif entry.future is None and len(entry.facts) > 1:
            for fact in entry.facts:
                await self._commit([Entry([fact], None)])
        else:
            await self._quarantine(entry, error)

    async def _write_alone(self, entry: Entry) -> None:
        """Keep trying to write one entry over a connection of its own."""
        while entry.future is None or not entry.future.done():
            try:
                async with await self._open() as connection:
                    await self._write(connection, [entry], told_before=True)
            except psycopg.OperationalError:
                await asyncio.sleep(RETRY_S)
            except psycopg.Error as error:
                await self._quarantine(entry, error)
                return
            else:
                return

    async def _quarantine(self, entry: Entry, error: Exception) -> None:
        """Keep raw what the database refuses. Surrogates and NUL, which it would refuse too, are escaped."""
        logger.error("quarantined %s: %s", [type(f).__name__ for f in entry.facts], error)
        raw = next((f for f in entry.facts if isinstance(f, MessageSeen)), None)
        station_id = next((f.station_id for f in entry.facts if hasattr(f, "station_id")), None)
        if station_id is not None:
            columns = [
                station_id,
                raw.action if raw else type(entry.facts[0]).__name__,
                raw.message_id if raw else "",
                raw.payload if raw else repr(entry.facts),
                f"{type(error).__name__}: {error}",
            ]
            clean = [_storable(c) if isinstance(c, str) else c for c in columns]
            try:
                connection = await self._usable_connection()
                async with connection.transaction():
                    await connection.execute(sql.QUARANTINE, clean)
            except psycopg.OperationalError:
                self._waiting.append(entry)
                return
            except psycopg.Error:
                logger.exception("could not be quarantined either: %r", clean)
        entry.fail(FactQuarantined(str(error)))

    async def _touch(self) -> None:
        """Write when stations were last seen, at most every TOUCH_INTERVAL_S."""
        now = asyncio.get_running_loop().time()
        if not self._seen or now - self._touched_at < TOUCH_INTERVAL_S:
            return
        self._touched_at = now
        seen, self._seen = self._seen, {}
        repairs, self._repairs = self._repairs, Counter()
        stations = sorted(seen)
        counted = sorted(repairs)
        try:
            connection = await self._usable_connection()
            async with connection.transaction():
                await connection.execute(sql.LOCK_STATES, [stations])
                await connection.execute(sql.TOUCH_STATES, [stations, [seen[s] for s in stations]])
                if counted:
                    await connection.execute(
                        sql.COUNT_REPAIRS,
                        [
                            [station for station, _ in counted],
                            [str(kind) for _, kind in counted],
                            [repairs[key] for key in counted],
                        ],
                    )
        except psycopg.Error as error:
            logger.warning("last-seen times not written this time: %s", error)
            self._seen = seen | self._seen
            self._repairs += repairs
            if not isinstance(error, psycopg.errors.LockNotAvailable):
                await self._drop_connection()

    async def _make_partitions(self) -> bool:
        """Whether they are there now; not if somebody reads the whole table, say, or the server is gone."""
        try:
            connection = await self._usable_connection()
            async with connection.transaction():
                await connection.execute(sql.MAKE_PARTITIONS)
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            logger.warning("no partitions made yet: %s", error)
            await asyncio.sleep(RETRY_S)
            return False
        return True

    # --- connections ------------------------------------------------------------------------

    async def _open(self) -> AsyncConnection[Any]:
        connection = await self._connect()
        await connection.execute(f"SET lock_timeout = {LOCK_TIMEOUT_MS}")
        await connection.execute("SET synchronous_commit = on")
        return connection

    async def _usable_connection(self) -> AsyncConnection[Any]:
        while self._connection is None or self._connection.closed:
            try:
                self._connection = await self._open()
            except psycopg.OperationalError as error:
                logger.warning("no connection to the database: %s", error)
                await asyncio.sleep(RETRY_S)
        return self._connection

    async def _drop_connection(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(psycopg.Error):
                await self._connection.close()
            self._connection = None


def _storable(text: str) -> str:
    return text.replace("\x00", "\\u0000").encode("utf-8", "backslashreplace").decode()
