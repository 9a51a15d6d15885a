"""Queues that repeat, double, invent or flood."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from ..client import SimulatorError
from ..memory import QueuedMessage
from ..personalities import Personality
from ..wire import Payload

if TYPE_CHECKING:
    from ..station import VirtualStation


class RepeatsStartSameId(Personality):
    """Sends each StartTransaction three times in a row with the same message id."""

    name = "repeats_start_same_id"
    source = "matth-x/MicroOcpp#50"

    async def deliver(self, station: VirtualStation, message: QueuedMessage) -> Payload:
        copies = 3 if message.action == "StartTransaction" else 1
        return await station.delivery.send(message, copies=copies)


class RepeatsStartNewId(Personality):
    """Sends each StartTransaction again with a new message id, as if the answer had been lost."""

    name = "repeats_start_new_id"
    source = "EVerest/libocpp#298, #688"

    async def deliver(self, station: VirtualStation, message: QueuedMessage) -> Payload:
        if message.action == "StartTransaction":
            await station.delivery.send(message)
        return await station.delivery.send(message)


class DoubleStart(Personality):
    """Sends two StartTransactions with different message ids at the same instant."""

    name = "double_start"
    source = "matth-x/MicroOcpp#237"

    async def deliver(self, station: VirtualStation, message: QueuedMessage) -> Payload:
        if message.action != "StartTransaction":
            return await station.delivery.send(message)
        first, _ = await asyncio.gather(
            station.delivery.send(message, exclusive=False),
            station.delivery.send(message, exclusive=False),
        )
        return first


class CounterRestarts(Personality):
    """Counts message ids from 1000000 and starts again at each boot."""

    name = "counter_restarts"
    source = "matth-x/MicroOcpp#237, #311"

    def message_id(self, number: int) -> str:
        return str(999_999 + number)


class StopUnknownTransaction(Personality):
    """After boot, stops transactions nobody knows: ids -1, 0, -16 and 9223372036854775807."""

    name = "stop_unknown_transaction"
    source = "steve#156, #292; ConnectorIO/connectorio-addons#199; lbbrhzn/ocpp#1000"
    ids = (-1, 0, -16, 9_223_372_036_854_775_807)

    async def after_boot(self, station: VirtualStation) -> None:
        for transaction_id in self.ids:
            payload: Payload = {
                "transactionId": transaction_id,
                "meterStop": round(station.outlets[1].register_wh),
                "timestamp": self.timestamp(station.now()),
            }
            with contextlib.suppress(SimulatorError):
                await station.call("StopTransaction", payload)


class DuplicateStopShiftedTimestamp(Personality):
    """Sends each StopTransaction again with a new message id and a timestamp two seconds later."""

    name = "duplicate_stop_shifted_timestamp"
    source = "steve#955, EVerest/libocpp#907"

    async def deliver(self, station: VirtualStation, message: QueuedMessage) -> Payload:
        result = await station.delivery.send(message)
        tx = station.memory.transactions.get(message.transaction_key)
        if message.action == "StopTransaction" and tx is not None and tx.stopped_at is not None:
            later = self.timestamp(tx.stopped_at + timedelta(seconds=2))
            payload = {**message.payload, "timestamp": later}
            await station.delivery.send(message, key=f"{message.key}/again", payload=payload)
        return result


class ReplayFlood(Personality):
    """Keeps a whole session back, then sends it at once without waiting for answers."""

    name = "replay_flood"
    source = "SAP/e-mobility-charging-stations-simulator#1204"

    def __init__(self) -> None:
        super().__init__()
        self._flight: dict[str, asyncio.Task[Payload]] = {}

    def holds(self, queue: Sequence[QueuedMessage]) -> bool:
        ended = {m.transaction_key for m in queue if m.action == "StopTransaction"}
        return not self._flight and queue[0].transaction_key not in ended

    async def deliver(self, station: VirtualStation, message: QueuedMessage) -> Payload:
        if message.action == "StartTransaction":  # its answer holds the id for all the others
            return await station.delivery.send(message)
        if message.key not in self._flight:
            self._flight = {
                m.key: station.spawn(station.delivery.send(m, exclusive=False))
                for m in station.memory.queue
                if m.transaction_key == message.transaction_key
            }
        try:
            return await self._flight.pop(message.key)
        except BaseException:
            for task in self._flight.values():
                task.cancel()
            self._flight = {}
            raise
