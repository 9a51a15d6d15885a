"""Frames as people read them: direction, action, a line that says it all, and the whole on demand."""

import binascii
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import DateTimeField, Q

from cms.api.pagination import Cursor
from cms.base.json import loads
from stations.models import ChargingStation, OcppMessage, Transaction
from stations.selectors.messages import messages_of

FRAMES_SHOWN = 50
SESSION_FRAMES_SHOWN = 200
_SESSION_FRAMES_READ = 2000
_BEFORE_START = timedelta(seconds=30)
_AFTER_END = timedelta(seconds=30)
_GIST_LENGTH = 110
FILTER_REACHES = timedelta(days=31)
_TYPE_IDS = {"call": 2, "result": 3, "error": 4}


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of the trace."""

    message: OcppMessage
    payload: Any

    @property
    def gist(self) -> str:
        """The beginning of the payload on one line."""
        text = json.dumps(self.payload, ensure_ascii=False, default=str)
        return text if len(text) <= _GIST_LENGTH else text[: _GIST_LENGTH - 1] + "…"

    @property
    def pretty(self) -> str:
        return json.dumps(self.payload, ensure_ascii=False, indent=2, default=str)

    @property
    def wire(self) -> str:
        """The frame as it travels (OCPP-J 1.6 §4.2), compact, secrets masked."""
        head: list[Any] = [_TYPE_IDS.get(self.message.type, self.message.type)]
        head.append(self.message.message_id)
        if self.message.type == "call":
            head.append(self.message.action)
        if self.message.type == "error" and isinstance(self.payload, list):
            body = self.payload
        else:
            body = [self.payload]
        return json.dumps([*head, *body], ensure_ascii=False, separators=(",", ":"), default=str)

    @property
    def is_from_station(self) -> bool:
        return self.message.direction == "in"


def frame_page(
    station: ChargingStation, *, action: str, direction: str, before: str, now: datetime
) -> tuple[list[Frame], str | None]:
    """A station's frames older than `before`, newest first, and where the next page begins.

    A filter reads the latest `FILTER_REACHES` only, so that a rare action does not cost a look at all
    that a station ever said.
    """
    rows = messages_of(
        station,
        action=action or None,
        direction=direction or None,
        since=now - FILTER_REACHES if action or direction else None,
    )
    cursor = _cursor(before)
    if cursor is not None:
        older = Q(at__lt=cursor.value) | Q(at=cursor.value, pk__lt=cursor.pk)
        rows = rows.filter(older, at__lte=cursor.value)
    found = list(rows.order_by("-at", "-id")[: FRAMES_SHOWN + 1])
    frames = [_frame(row) for row in found[:FRAMES_SHOWN]]
    if len(found) <= FRAMES_SHOWN:
        return frames, None
    last = frames[-1].message
    return frames, Cursor("before", last.at, last.pk).encode()


def _cursor(text: str) -> Cursor | None:
    try:
        return Cursor.decode(text, DateTimeField()) if text else None
    except (ValueError, OverflowError, RecursionError, binascii.Error):
        return None


def frames_of_session(tx: Transaction) -> list[Frame]:
    """The frames that speak of a transaction or its EVSE, oldest first; the first ones of a long session.

    Replies belong to their calls. Authorize names no EVSE and is shown when its token is the transaction's.
    """
    begins = min(tx.started_at, tx.received_started_at) - _BEFORE_START
    rows = messages_of(tx.station, since=begins)
    if tx.ended_at:
        rows = rows.filter(at__lte=(tx.received_ended_at or tx.ended_at) + _AFTER_END)
    kept: list[Frame] = []
    asked: set[str] = set()
    for row in rows.order_by("at", "id")[:_SESSION_FRAMES_READ]:
        frame = _frame(row)
        if row.type == "call" and _concerns(frame.payload, tx):
            asked.add(row.message_id)
            kept.append(frame)
        elif row.type != "call" and row.message_id in asked:
            kept.append(frame)
        if len(kept) == SESSION_FRAMES_SHOWN:
            break
    return kept


def _concerns(payload: Any, tx: Transaction) -> bool:
    if not isinstance(payload, dict):
        return False
    if "transactionId" in payload:
        return str(payload["transactionId"]) == tx.ocpp_transaction_id
    if "connectorId" in payload:
        return bool(payload["connectorId"] == tx.evse_id)
    return bool(payload.get("idTag")) and payload["idTag"] == tx.id_token_uid


def _frame(row: OcppMessage) -> Frame:
    try:
        return Frame(row, loads(row.payload))
    except ValueError:
        return Frame(row, row.payload)
