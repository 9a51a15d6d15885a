"""Frames as people read them: direction, action, a line that says it all, and the whole on demand."""

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from cms.base.json import loads
from stations.models import ChargingStation, OcppMessage, Transaction
from stations.selectors.messages import messages_of

FRAMES_SHOWN = 50
SESSION_FRAMES_SHOWN = 200
_SESSION_FRAMES_READ = 2000
_BEFORE_START = timedelta(seconds=30)
_AFTER_END = timedelta(seconds=30)
_GIST_LENGTH = 110


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
    def is_from_station(self) -> bool:
        return self.message.direction == "in"


def latest_frames(station: ChargingStation) -> list[Frame]:
    """The newest frames of a station, newest first."""
    return [_frame(row) for row in messages_of(station).order_by("-at", "-id")[:FRAMES_SHOWN]]


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
