"""The transaction queue at work: in order, again and again, until acknowledged."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from .client import CallErrorReceived, CallTimeout, ConnectionLost
from .memory import LocalTransaction, QueuedMessage
from .wire import Payload

if TYPE_CHECKING:
    from .client import Link
    from .station import VirtualStation


class Delivery:
    """Source: OCPP 1.6 §3.7.1; TransactionMessageAttempts counts refusals only, not silence."""

    def __init__(self, station: VirtualStation) -> None:
        self._station = station

    def enqueue(self, tx: LocalTransaction, action: str, payload: Payload) -> QueuedMessage:
        memory = self._station.memory
        message = QueuedMessage(
            memory.next_key(self._station.identity, action), action, payload, tx.key
        )
        memory.queue.append(message)
        memory.save()
        self._station.changed()
        return message

    def may_go(self) -> bool:
        station = self._station
        queue = station.memory.queue
        return bool(station.ready and queue and not station.personality.holds(queue))

    async def settled(self, message: QueuedMessage) -> None:
        """Wait until the message is acknowledged, or cannot be for now."""
        queue = self._station.memory.queue
        await self._station.wait_until(
            lambda _: message not in queue or message.attempts or not self.may_go(), None
        )

    async def run(self) -> None:
        station = self._station
        while True:
            await station.wait_until(lambda _: self.may_go(), None)
            message = station.memory.queue[0]
            link = station.link
            try:
                result = await station.personality.deliver(station, message)
            except CallErrorReceived as exc:
                await self._refused(message, exc)
            except CallTimeout:
                continue
            except ConnectionLost:
                await self._new_link(link)
            else:
                self._acknowledged(message, result)

    async def _new_link(self, lost: Link | None) -> None:
        await self._station.wait_until(lambda s: s.link is not lost, None)

    async def send(
        self,
        message: QueuedMessage,
        *,
        key: str | None = None,
        copies: int = 1,
        exclusive: bool = True,
        payload: Payload | None = None,
    ) -> Payload:
        """Send a queued message once, with the transaction's id as known now."""
        station = self._station
        tx = station.memory.transactions.get(message.transaction_key)
        complete = station.dialect.complete(
            message.action,
            message.payload if payload is None else payload,
            tx.transaction_id if tx is not None else None,
        )
        return await station.call(
            message.action, complete, key=key or message.key, copies=copies, exclusive=exclusive
        )

    def _acknowledged(self, message: QueuedMessage, result: Payload) -> None:
        station = self._station
        tx = station.memory.transactions.get(message.transaction_key)
        transaction_id = station.dialect.transaction_id(message.action, result)
        if tx is not None and transaction_id is not None:
            tx.transaction_id = transaction_id
            station.note(f"connector {tx.connector_id}: transaction {transaction_id} acknowledged")
        station.memory.acknowledge(message)
        station.changed()
        is_refused = station.dialect.id_tag_status(result) not in (None, "Accepted")
        if tx is None or not is_refused or message.action != "StartTransaction":
            return
        if station.configuration.flag("StopTransactionOnInvalidId"):
            station.spawn(station.outlets[tx.connector_id].end_if_running(tx, "DeAuthorized"))

    async def _refused(self, message: QueuedMessage, error: CallErrorReceived) -> None:
        station = self._station
        message.attempts += 1
        station.changed()
        if message.attempts >= station.configuration.integer("TransactionMessageAttempts"):
            station.note(f"gives up {message.action}: {error}")
            station.journal.counts["given_up"] += 1
            station.memory.acknowledge(message)
            station.changed()
            return
        interval_s = station.configuration.integer("TransactionMessageRetryInterval")
        await asyncio.sleep(interval_s * message.attempts)
