"""What a handler may know and do while it answers one call of a station."""

import logging
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial
from typing import Any, Protocol, TypeVar
from zoneinfo import ZoneInfo

import psycopg
from django.db import DataError, IntegrityError, InterfaceError, OperationalError

from accounts.models.id_token import fold_uid
from accounts.services.authorization import Authorization, authorize_id_token
from stations.choices import RepairKind
from stations.gateway import Gateway
from stations.ingest import sql
from stations.ingest.cache import KnownStation
from stations.ingest.clock import DeviceTime, read_device_time
from stations.ingest.facts import Fact, MessageSeen, Result, UnknownTokenSeen
from stations.ingest.writer import FactQuarantined
from stations.ocpp.framing import STRAY, Call
from stations.quirks import NO_QUIRKS, QuirkProfile

logger = logging.getLogger(__name__)
T = TypeVar("T")

MAX_KNOWN_TRANSACTIONS = 32
_HEAD = re.compile(r'\s*\[\s*2\s*,\s*"(?:[^"\\]|\\.)*"\s*,\s*"(?:[^"\\]|\\.)*"\s*,\s*')
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def storable(text: str, max_length: int) -> str:
    """`text` as PostgreSQL can keep it: without NUL and lone surrogates, cut to a length."""
    return _UNSTORABLE.sub("", text)[:max_length]


def is_storable(text: str) -> bool:
    """Whether `storable` would leave `text` as it is, its length aside."""
    return _UNSTORABLE.search(text) is None


def payload_text(call: Call) -> str:
    """The payload of a call as it was written, without what stood around the frame."""
    text = call.text.strip(STRAY)
    head = _HEAD.match(text)
    if head is None:
        return "{}"
    return text[head.end() :].removesuffix("]").rstrip()


@dataclass(slots=True)
class KnownTransaction:
    """What is remembered of a transaction while its station is connected. `last_register_wh` as last reported."""

    id: int
    ocpp_transaction_id: str
    evse_id: int
    connector_id: int
    received_at: datetime
    meter_start_wh: int | None
    last_register_wh: int | None = None
    active: bool = True
    # Whether its readings count from its start; None until one has told.
    counts_from_start: bool | None = None

    @property
    def month(self) -> date:
        """The partition of its readings: the UTC month in which its start was received."""
        return date(self.received_at.year, self.received_at.month, 1)


@dataclass(slots=True)
class StationMemory:
    """What one connection remembers of its station. `registration` is how its last boot was answered."""

    station: KnownStation
    generation: int
    boot_count: int
    registration: str
    quirks: QuirkProfile = NO_QUIRKS
    # When it booted last on this connection.
    booted_at: datetime | None = None
    knows_current: bool = False
    transactions: dict[str, KnownTransaction] = field(default_factory=dict)

    def quiet_s(self, now: datetime) -> float:
        """For how many seconds yet the station wants to be left alone after its boot."""
        if self.booted_at is None or not self.quirks.quiet_after_boot_s:
            return 0
        return self.quirks.quiet_after_boot_s - (now - self.booted_at).total_seconds()

    def remember(self, tx: KnownTransaction) -> None:
        """Keep a transaction at hand; the oldest goes when there are too many."""
        if tx.active:
            for other in self.transactions.values():
                if other.evse_id == tx.evse_id:
                    other.active = False
        self.transactions.pop(tx.ocpp_transaction_id, None)
        self.transactions[tx.ocpp_transaction_id] = tx
        if len(self.transactions) > MAX_KNOWN_TRANSACTIONS:
            del self.transactions[next(iter(self.transactions))]

    def forget_transactions(self) -> None:
        """Read them anew when they are next asked for."""
        self.transactions.clear()
        self.knows_current = False

    def current(self, evse_id: int) -> KnownTransaction | None:
        """The transaction that runs on an EVSE, as far as this connection has seen."""
        for tx in self.transactions.values():
            if tx.evse_id == evse_id and tx.active:
                return tx
        return None


class CallContext:
    """One call being answered. `received_at` is when its frame arrived."""

    __slots__ = ("_seen_recorded", "call", "gateway", "memory", "received_at", "repairs")

    def __init__(
        self, gateway: Gateway, memory: StationMemory, call: Call, received_at: datetime
    ) -> None:
        self.gateway = gateway
        self.memory = memory
        self.call = call
        self.received_at = received_at
        self.repairs: Counter[RepairKind] = Counter()
        self._seen_recorded = False

    @property
    def station(self) -> KnownStation:
        """The station that called."""
        return self.memory.station

    @property
    def seen(self) -> MessageSeen:
        """The call itself as a fact."""
        return MessageSeen(
            at=self.received_at,
            station_id=self.memory.station.id,
            generation=self.memory.generation,
            direction="in",
            type="call",
            action=self.call.action,
            message_id=self.call.message_id,
            payload=payload_text(self.call),
        )

    def repair(self, kind: RepairKind, times: int = 1) -> None:
        """Count what was put right in this message, or left out of it."""
        self.repairs[kind] += times

    def device_time(self, text: str | None) -> DeviceTime:
        """A timestamp of this message, judged and read as such stations mean it."""
        quirks = self.memory.quirks
        site = self.memory.station.time_zone
        time = read_device_time(
            text,
            received_at=self.received_at,
            naive_zone=quirks.naive_zone(site),
            z_means=ZoneInfo(site) if quirks.z_means_site_time else None,
        )
        if time.repaired:
            self.repair(RepairKind.TIMESTAMPS)
        return time

    async def record(self, *facts: Fact) -> list[Result]:
        """Write facts together with the call itself; returns their results once all are committed.

        Raises FactQuarantined if the database will never take them; the station is to be answered all the same.
        """
        if self._seen_recorded:
            return await self.gateway.writer.record(*facts)
        self._seen_recorded = True
        return (await self.gateway.writer.record(*facts, self.seen))[: len(facts)]

    async def apply(self, function: Callable[..., T], **values: Any) -> T:
        """Call a domain function that writes through the ORM, for the rare messages; returns after its commit.

        Records the call itself first. The function may be called again for the same message and is idempotent.
        Raises psycopg.OperationalError while the database is away, as `record` would wait, and FactQuarantined
        where the database refuses what the station sent; the call is kept raw then.
        """
        await self.record()
        try:
            return await self.gateway.run_in_thread(partial(function, **values))
        except (OperationalError, InterfaceError) as error:
            raise psycopg.OperationalError(str(error)) from error
        except (DataError, IntegrityError) as error:
            logger.exception("%s %s was refused", self.station.identity, self.call.action)
            raise FactQuarantined(str(error)) from error

    def trace_unless_recorded(self) -> None:
        """Leave the call to the asynchronous trace if no fact has taken it along."""
        if not self._seen_recorded:
            self._seen_recorded = True
            self.gateway.writer.trace(self.seen)

    async def authorize(self, uid: str) -> Authorization:
        """Decide on a token of this station's operator, from memory where it is known there."""
        known = None
        if is_storable(uid):
            normal = self.memory.quirks.normal_uid(uid)
            if normal != uid:
                self.repair(RepairKind.ID_TOKENS)
                uid = normal
            known = await self.gateway.cache.id_token(self.station.operator_id, uid)
        return authorize_id_token(known, now=self.received_at)

    def unknown_token(self, uid: str, authorization: Authorization) -> list[UnknownTokenSeen]:
        """The fact that nobody knows this token, for adoption; empty if somebody does."""
        if authorization.id_token is not None or not uid or not is_storable(uid):
            return []
        uid = self.memory.quirks.normal_uid(uid)
        return [
            UnknownTokenSeen(
                operator_id=self.station.operator_id,
                uid=uid,
                uid_folded=fold_uid(uid),
                station_identity=self.station.identity,
                at=self.received_at,
            )
        ]

    async def find_transaction(
        self, ocpp_transaction_id: str | None, evse_id: int
    ) -> KnownTransaction | None:
        """This station's transaction by its id, or without an id the one that runs on an EVSE."""
        memory = self.memory
        if ocpp_transaction_id is None:
            await self._load_current()
            return memory.current(evse_id)
        known = memory.transactions.get(ocpp_transaction_id)
        if known is None:
            rows = await self._fetch(sql.FIND_TRANSACTION, self.station.id, ocpp_transaction_id)
            for row in rows:
                known = KnownTransaction(*row)
                memory.remember(known)
        return known

    async def _load_current(self) -> None:
        if not self.memory.knows_current:
            for row in await self._fetch(sql.CURRENT_TRANSACTIONS, self.station.id):
                if row[1] not in self.memory.transactions:
                    self.memory.remember(KnownTransaction(*row))
            self.memory.knows_current = True

    async def _fetch(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        async with self.gateway.connection() as connection:
            cursor = await connection.execute(query, parameters)
            return await cursor.fetchall()


class Handler(Protocol):
    """Answers one action: payload in, payload out.

    Raises CallRefused for what cannot be served; the station gets a CALLERROR.
    """

    async def __call__(self, context: CallContext, payload: dict[str, Any]) -> dict[str, Any]: ...
