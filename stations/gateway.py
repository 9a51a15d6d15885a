"""One process's share of the stations: its sockets, its writer, its memory and its lease.

Started and stopped with the server through ASGI's lifespan. Other processes reach it through PostgreSQL alone:
rows are the truth, notifications only wake it, and a slow poll finds what a lost notification left lying.
"""

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar
from uuid import uuid4

import psycopg
from channels.layers import get_channel_layer
from django.conf import settings
from django.db import connections
from psycopg import AsyncConnection
from psycopg.types.json import set_json_loads
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from cms.base.json import loads
from cms.base.time import utc_now
from stations.ingest import cache, sql
from stations.ingest.cache import Cache
from stations.ingest.facts import ConnectionClosed
from stations.ingest.writer import Writer
from stations.newcomers import NEWCOMERS, NO_STATION, Newcomers

logger = logging.getLogger(__name__)

COMMAND_CHANNEL = "magetsi_command"
FENCE_CHANNEL = "magetsi_fence"
PUBLISH_INTERVAL_S = 0.5
TICK_INTERVAL_S = 0.5
POLL_INTERVAL_S = 5.0
# What it is called in pg_stat_activity.
LISTENER_NAME = "magetsi-listener"
LISTEN_RETRY_S = 1.0
LISTEN_PROBE_S = 5.0
# The pool doubles its pauses for as long as this and then starts anew with the next question: after an outage
# of any length it is back within moments.
POOL_BACKOFF_S = 3.0
MAX_FENCES = 10_000
ORM_THREADS = 2
T = TypeVar("T")


class Link(Protocol):
    """An open socket of a station, as the gateway sees it."""

    station_id: int
    operator_id: int
    identity: str
    generation: int

    def wake(self) -> None:
        """A command may be waiting."""

    def tick(self, now: float) -> None:
        """Let calls expire whose time has come."""

    def station_changed(self) -> None:
        """The station's row changed."""

    def close(self, reason: str) -> None:
        """End the socket."""


def _with_own_connection(work: Callable[[], T]) -> T:
    """No request ends in these threads, so what they opened is closed here."""
    try:
        return work()
    finally:
        connections.close_all()


async def _read_json_exactly(connection: AsyncConnection[Any]) -> None:
    set_json_loads(loads, connection)


class Gateway:
    """Holds the sockets of this process. One a process and event loop."""

    def __init__(self) -> None:
        self.id = uuid4()
        self.links: dict[int, Link] = {}
        self._by_identity: dict[str, Link] = {}
        # Newest generations heard of that are not ours, for sockets that are being accepted just now.
        self._fences: dict[int, int] = {}
        self.draining = False
        self._conninfo = settings.DATABASE_URL
        self._pool: AsyncConnectionPool[AsyncConnection[Any]] = AsyncConnectionPool(
            self._conninfo,
            min_size=1,
            max_size=4,
            timeout=5,
            open=False,
            reconnect_timeout=POOL_BACKOFF_S,
            kwargs={"autocommit": True},
            configure=_read_json_exactly,
            check=AsyncConnectionPool.check_connection,
        )
        self.cache = Cache(self._fetch_one)
        self.writer = Writer(self._connect, self._note_changes)
        self._changed: dict[int, set[int]] = {}
        self._newcomers = Newcomers()
        # For what goes through the ORM, off the hot path.
        self._threads = ThreadPoolExecutor(ORM_THREADS, thread_name_prefix="orm")
        self._tasks: list[asyncio.Task[None]] = []

    # --- life -------------------------------------------------------------------------------

    async def start(self) -> None:
        """Open connections and take the lease. Raises psycopg.OperationalError if there is no database."""
        await self._pool.open(wait=True, timeout=30)
        await self.writer.start()
        await self._renew_lease()
        for work in (
            self._keep_lease(),
            self._listen(),
            self._publish(),
            self._tick(),
            self._poll(),
        ):
            self._tasks.append(asyncio.create_task(self._for_ever(work)))

    async def stop(self) -> None:
        """Close the sockets, write what is waiting, give the lease back."""
        self.draining = True
        for link in list(self.links.values()):
            link.close("server_stopping")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(5):
                while self.links:
                    await asyncio.sleep(0.05)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.writer.stop()
        with contextlib.suppress(psycopg.Error, PoolTimeout):
            async with self.connection() as connection:
                await connection.execute(sql.END_LEASE, [self.id])
        await self._pool.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    @staticmethod
    async def _for_ever(work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except asyncio.CancelledError:
            raise
        except Exception:
            logger.exception("a gateway task ended")
            raise

    # --- sockets ----------------------------------------------------------------------------

    def register(self, link: Link) -> None:
        """Take over a station's socket; an older one of this process is closed."""
        older = self.links.get(link.station_id)
        newest = older.generation if older is not None else 0
        if link.generation < max(newest, self._fences.get(link.station_id, 0)):
            link.close("superseded")
            return
        self.links[link.station_id] = link
        self._by_identity[link.identity] = link
        if older is not None:
            older.close("superseded")

    def unregister(self, link: Link) -> None:
        """Forget a socket, unless a newer one took its place."""
        if self.links.get(link.station_id) is link:
            del self.links[link.station_id]
            self._by_identity.pop(link.identity, None)

    # --- database ---------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection[Any]]:
        """A pooled autocommit connection, for what is not a fact."""
        async with self._pool.connection() as connection:
            yield connection

    async def run_in_thread(self, work: Callable[[], T]) -> T:
        """Call something that uses the ORM, beside the event loop."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, _with_own_connection, work)

    async def _fetch_one(self, query: str, parameters: tuple[Any, ...]) -> tuple[Any, ...] | None:
        async with self.connection() as connection:
            cursor = await connection.execute(query, parameters)
            return await cursor.fetchone()

    async def _connect(self) -> AsyncConnection[Any]:
        return await AsyncConnection.connect(self._conninfo, autocommit=True, connect_timeout=5)

    async def _renew_lease(self) -> None:
        async with self.connection() as connection:
            await connection.execute(
                sql.RENEW_LEASE,
                {
                    "id": self.id,
                    "host": socket.gethostname(),
                    "pid": os.getpid(),
                    "lease_s": settings.OCPP_GATEWAY_LEASE_S,
                },
            )

    async def _reassert_presence(self) -> None:
        """The lease had lapsed, so our stations were taken for offline; but their sockets are open."""
        links = sorted(self.links.values(), key=lambda link: link.station_id)
        stations = [link.station_id for link in links]
        generations = [link.generation for link in links]
        async with self.connection() as connection:
            async with connection.transaction():
                # The lease must not wait for somebody's lock; the next renewal comes by here again.
                await connection.execute("SET LOCAL lock_timeout = '1s'")
                await connection.execute(sql.LOCK_STATES, [stations])
                await connection.execute(sql.REASSERT_PRESENCE, [stations, generations])
            await self._close_superseded(connection)
        self._note_changes(set(stations))
        for link in links:
            if self.links.get(link.station_id) is not link:
                self._tasks.append(asyncio.create_task(self._say_closed(link)))

    async def _say_closed(self, link: Link) -> None:
        """Its socket closed while we said that it was open."""
        await self.writer.record(
            ConnectionClosed(
                station_id=link.station_id,
                generation=link.generation,
                reason="closed_by_station",
                at=utc_now(),
            )
        )

    # --- tasks ------------------------------------------------------------------------------

    async def _keep_lease(self) -> None:
        loop = asyncio.get_running_loop()
        lease_s = settings.OCPP_GATEWAY_LEASE_S
        renewed_at = loop.time()
        while True:
            await asyncio.sleep(lease_s / 3)
            began_at = loop.time()
            try:
                await self._renew_lease()
                if loop.time() - renewed_at > lease_s:
                    await self._reassert_presence()
                renewed_at = began_at
            except (psycopg.Error, PoolTimeout) as error:
                logger.warning("the lease was not renewed: %s", error)

    async def _listen(self) -> None:
        while True:
            try:
                async with await self._connect() as connection:
                    await connection.execute(f"SET application_name = '{LISTENER_NAME}'")
                    for channel in (cache.CHANNEL, COMMAND_CHANNEL, FENCE_CHANNEL):
                        await connection.execute(f"LISTEN {channel}")
                    self.cache.trust()
                    self._wake_all()
                    await self._close_superseded(connection)
                    await self._hear(connection)
            except (psycopg.Error, OSError) as error:
                logger.warning("notifications are not heard: %s", error)
            finally:
                self.cache.distrust()
            await asyncio.sleep(LISTEN_RETRY_S)

    async def _close_superseded(self, connection: AsyncConnection[Any]) -> None:
        """What another process took over while nobody listened."""
        links = list(self.links.values())
        columns = [[link.station_id for link in links], [link.generation for link in links]]
        cursor = await connection.execute(sql.NEWER_GENERATIONS, columns)
        for station_id, generation in await cursor.fetchall():
            self._fence(station_id, generation)

    def _fence(self, station_id: int, generation: int) -> None:
        """Another process holds this station's newest socket."""
        if len(self._fences) >= MAX_FENCES:
            self._fences.clear()
        self._fences[station_id] = generation
        link = self.links.get(station_id)
        if link is not None and link.generation < generation:
            link.close("superseded")

    async def _hear(self, connection: AsyncConnection[Any]) -> None:
        while True:
            async for notification in connection.notifies(timeout=LISTEN_PROBE_S):
                self._act_on(notification.channel, notification.payload)
            await connection.execute("SELECT 1")

    def _act_on(self, channel: str, payload: str) -> None:
        if channel == COMMAND_CHANNEL:
            link = self.links.get(int(payload))
            if link is not None:
                link.wake()
        elif channel == FENCE_CHANNEL:
            station_id, _, generation = payload.partition(":")
            self._fence(int(station_id), int(generation))
        else:
            identity = self.cache.forget(payload)
            link = self._by_identity.get(identity) if identity is not None else None
            if link is not None:
                link.station_changed()

    def _wake_all(self) -> None:
        for link in list(self.links.values()):
            link.station_changed()
            link.wake()

    async def _poll(self) -> None:
        """Find commands whose notification was lost."""
        while True:
            await asyncio.sleep(POLL_INTERVAL_S)
            if not self.links:
                continue
            try:
                async with self.connection() as connection:
                    cursor = await connection.execute(
                        "SELECT DISTINCT station_id FROM stations_command"
                        " WHERE status = 'queued' AND station_id = ANY(%s)",
                        [list(self.links)],
                    )
                    waiting = [row[0] for row in await cursor.fetchall()]
            except (psycopg.Error, PoolTimeout):
                continue
            for station_id in waiting:
                if link := self.links.get(station_id):
                    link.wake()

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(TICK_INTERVAL_S)
            now = loop.time()
            for link in list(self.links.values()):
                link.tick(now)

    # --- live pages -------------------------------------------------------------------------

    def note_change(self, station_id: int) -> None:
        """Something of a connected station changed that its open pages show."""
        self._note_changes({station_id})

    def note_refusal(self, identity: str, operator_id: int | None, station_id: int | None) -> None:
        """A station was turned away; one that nobody knows concerns whoever may adopt it."""
        if operator_id is not None and station_id is not None:
            self._changed.setdefault(operator_id, set()).add(station_id)
        else:
            self._newcomers.knocked(identity, asyncio.get_running_loop().time())

    def _note_changes(self, stations: set[int]) -> None:
        for station_id in stations:
            link = self.links.get(station_id)
            if link is not None:
                self._changed.setdefault(link.operator_id, set()).add(station_id)

    async def _publish(self) -> None:
        """Tell open pages which stations changed, at most twice a second; lost messages cost a delay only."""
        layer = get_channel_layer()
        while True:
            await asyncio.sleep(PUBLISH_INTERVAL_S)
            changed, self._changed = self._changed, {}
            told = [(f"operator.{each}", sorted(stations)) for each, stations in changed.items()]
            if self._newcomers.take(asyncio.get_running_loop().time()):
                told.append((NEWCOMERS, [NO_STATION]))
            for group, stations in told:
                message = {"type": "stations.changed", "stations": stations}
                try:
                    async with asyncio.timeout(2):
                        await layer.group_send(group, message)
                except Exception as error:  # noqa: BLE001 - whatever Redis does, stations go on
                    logger.debug("pages were not told of changes: %s", error)
                    break
