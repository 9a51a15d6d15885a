"""What a station remembers when the power fails: its transaction queue, transactions and registers.

With a path it survives the process too, as flash memory would; without one it lives as long as the
`VirtualStation` object, which is enough for reboots and lost connections.
"""

from __future__ import annotations

import json
import os
from collections import deque
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from .wire import Payload

FIRST_VERSION = "1.6.0"


@dataclass
class LocalTransaction:
    """A transaction as the station knows it. `transaction_id` arrives with the Start's answer.

    `drawn_wh` is the energy since its start; `meter_start_wh` the register then. `target_wh` makes
    the car pause there.
    """

    key: str
    connector_id: int
    id_tag: str
    started_at: datetime
    meter_start_wh: int
    transaction_id: int | None = None
    reservation_id: int | None = None
    drawn_wh: float = 0.0
    target_wh: float | None = None
    stopped_at: datetime | None = None
    meter_stop_wh: int | None = None
    reason: str | None = None
    stop_id_tag: str | None = None
    samples_taken: int = 0
    boundary_samples: list[Payload] = field(default_factory=list)

    @property
    def is_running(self) -> bool:
        return self.stopped_at is None


@dataclass
class QueuedMessage:
    """A transaction-related message, kept until acknowledged (OCPP 1.6 §3.7.1).

    `payload` lacks the transaction id: it is filled in when the message is sent. `attempts` counts
    CALLERRORs; silence and lost connections do not count.
    """

    key: str
    action: str
    payload: Payload
    transaction_key: str
    attempts: int = 0


class Memory:
    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.queue: deque[QueuedMessage] = deque()
        self.transactions: dict[str, LocalTransaction] = {}
        self.registers_wh: dict[int, float] = {}
        self.boots = 0
        self.messages = 0
        self._life = uuid4().hex[:12]
        self.authorization_key: str | None = None
        self.firmware_version = FIRST_VERSION
        self.unavailable: set[int] = set()
        if path is not None and path.exists():
            self._load(json.loads(path.read_text()))

    def next_key(self, identity: str, action: str) -> str:
        """Name of one business message, unique for ever, whatever was restarted."""
        self.messages += 1
        return f"{identity}/{self._life}/{self.messages}/{action}"

    def acknowledge(self, message: QueuedMessage) -> None:
        self.queue.remove(message)
        self.forget(message.transaction_key)
        self.save()

    def forget(self, key: str) -> None:
        """Drop an ended transaction once nothing in the queue refers to it."""
        tx = self.transactions.get(key)
        if tx and not tx.is_running and all(m.transaction_key != key for m in self.queue):
            del self.transactions[key]

    def save(self) -> None:
        """Write everything, so that a kill at any moment leaves the old or the new file."""
        if self.path is None:
            return
        state = {
            "queue": [asdict(message) for message in self.queue],
            "transactions": [asdict(tx) for tx in self.transactions.values()],
            "registers_wh": list(self.registers_wh.items()),
            "boots": self.boots,
            "authorization_key": self.authorization_key,
            "firmware_version": self.firmware_version,
            "unavailable": sorted(self.unavailable),
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        draft = self.path.with_suffix(".new")
        draft.write_text(json.dumps(state, default=datetime.isoformat))
        os.replace(draft, self.path)

    def _load(self, state: dict[str, Any]) -> None:
        self.queue = deque(QueuedMessage(**item) for item in state["queue"])
        for item in state["transactions"]:
            for name in ("started_at", "stopped_at"):
                item[name] = item[name] and datetime.fromisoformat(item[name])
            self.transactions[item["key"]] = LocalTransaction(**item)
        self.registers_wh = {int(number): wh for number, wh in state["registers_wh"]}
        self.boots = state["boots"]
        self.authorization_key = state["authorization_key"]
        self.firmware_version = state.get("firmware_version", FIRST_VERSION)
        self.unavailable = set(state["unavailable"])
