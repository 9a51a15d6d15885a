"""What a station really sent, and what was acknowledged: the truth the oracle compares against.

A *request* is one CALL that left the station; a *message* (its `key`) is the business fact behind
it, which may need several requests until one is acknowledged. The lists count messages.
"""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any, TextIO

from .wire import Payload


@dataclass(frozen=True, slots=True)
class FrameRecord:
    """One websocket text message. `direction` is "sent" or "received", as the station sees it."""

    at: datetime
    identity: str
    direction: str
    text: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A CALLRESULT (`result`) or a CALLERROR (`error_code`)."""

    at: datetime
    result: Payload | None = None
    error_code: str | None = None


@dataclass(slots=True)
class Request:
    """One CALL. More than one answer means it was sent, or answered, more than once."""

    identity: str
    key: str
    message_id: str
    action: str
    payload: Payload
    sent_at: datetime
    answers: list[Answer] = field(default_factory=list)

    @property
    def result(self) -> Payload | None:
        return next((a.result for a in self.answers if a.result is not None), None)

    @property
    def is_acknowledged(self) -> bool:
        return self.result is not None


@dataclass(frozen=True, slots=True)
class AcknowledgedStart:
    """`transaction_ids` holds every id the central system gave for this start; one is right."""

    identity: str
    key: str
    connector_id: int
    id_tag: str
    meter_start_wh: int
    timestamp: str
    transaction_ids: tuple[int, ...]
    id_tag_status: str

    @property
    def transaction_id(self) -> int:
        return self.transaction_ids[0]


@dataclass(frozen=True, slots=True)
class AcknowledgedStop:
    identity: str
    key: str
    transaction_id: int
    meter_stop_wh: int
    timestamp: str
    reason: str | None
    id_tag: str | None


@dataclass(frozen=True, slots=True)
class AcknowledgedReading:
    """One element of `meterValue`, with its samples as sent."""

    identity: str
    key: str
    connector_id: int
    transaction_id: int | None
    timestamp: str
    samples: tuple[Payload, ...]


class Journal:
    """Records frames and requests of one or many stations.

    `keep` bounds the frames and requests held in memory, answered ones going first (None keeps
    all; a fleet that runs for ever sets it); `counts` stays exact. `sink` receives every record as a JSON line
    at once, so that it survives the process.
    """

    def __init__(
        self,
        *,
        keep: int | None = None,
        sink: TextIO | None = None,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        self.frames: deque[FrameRecord] = deque(maxlen=keep)
        self.counts: Counter[str] = Counter()
        self._requests: dict[int, Request] = {}
        self._numbers = count()
        self._keep = keep
        self._sink = sink
        self._now = now or (lambda: datetime.now(UTC))

    # Recording

    def record_frame(self, identity: str, direction: str, text: str) -> None:
        record = FrameRecord(self._now(), identity, direction, text)
        self.frames.append(record)
        self.counts[f"frames_{direction}"] += 1
        self._write("frame", direction=direction, identity=identity, text=text, at=record.at)

    def record_request(
        self, identity: str, key: str, message_id: str, action: str, payload: Payload
    ) -> Request:
        request = Request(identity, key, message_id, action, payload, self._now())
        self._requests[next(self._numbers)] = request
        self.counts["requests"] += 1
        self._forget_old()
        return request

    def record_answer(
        self, request: Request, *, result: Payload | None = None, error_code: str | None = None
    ) -> None:
        if not request.answers:
            self.counts["acknowledged" if result is not None else "refused"] += 1
        answer = Answer(self._now(), result, error_code)
        request.answers.append(answer)
        self._write(
            "answer",
            identity=request.identity,
            key=request.key,
            action=request.action,
            payload=request.payload,
            result=result,
            error_code=error_code,
            at=answer.at,
        )

    # Reading

    @property
    def requests(self) -> list[Request]:
        return list(self._requests.values())

    def sent(self, action: str, identity: str | None = None) -> list[Request]:
        """Requests of one action in sending order, acknowledged or not."""
        return [
            request
            for request in self._requests.values()
            if request.action == action and identity in (None, request.identity)
        ]

    def acknowledged_starts(self) -> list[AcknowledgedStart]:
        starts: dict[str, AcknowledgedStart] = {}
        for request in self._acknowledged("StartTransaction"):
            ids = [a.result["transactionId"] for a in request.answers if a.result is not None]
            earlier = starts.get(request.key)
            if earlier is not None:
                ids = [*earlier.transaction_ids, *ids]
            payload = request.payload
            starts[request.key] = AcknowledgedStart(
                identity=request.identity,
                key=request.key,
                connector_id=payload["connectorId"],
                id_tag=payload["idTag"],
                meter_start_wh=payload["meterStart"],
                timestamp=payload["timestamp"],
                transaction_ids=tuple(dict.fromkeys(ids)),
                id_tag_status=(request.result or {}).get("idTagInfo", {}).get("status", ""),
            )
        return list(starts.values())

    def acknowledged_stops(self) -> list[AcknowledgedStop]:
        stops: dict[str, AcknowledgedStop] = {}
        for request in self._acknowledged("StopTransaction"):
            payload = request.payload
            stops[request.key] = AcknowledgedStop(
                identity=request.identity,
                key=request.key,
                transaction_id=payload["transactionId"],
                meter_stop_wh=payload["meterStop"],
                timestamp=payload["timestamp"],
                reason=payload.get("reason"),
                id_tag=payload.get("idTag"),
            )
        return list(stops.values())

    def acknowledged_readings(self) -> list[AcknowledgedReading]:
        """Readings of acknowledged MeterValues; those inside a StopTransaction are not listed."""
        readings: dict[tuple[str, int], AcknowledgedReading] = {}
        for request in self._acknowledged("MeterValues"):
            payload = request.payload
            for index, value in enumerate(payload["meterValue"]):
                readings[request.key, index] = AcknowledgedReading(
                    identity=request.identity,
                    key=request.key,
                    connector_id=payload["connectorId"],
                    transaction_id=payload.get("transactionId"),
                    timestamp=value["timestamp"],
                    samples=tuple(value.get("sampledValue", ())),
                )
        return list(readings.values())

    def unacknowledged(self) -> list[Request]:
        """Messages none of whose requests was acknowledged: the last request of each."""
        done = {request.key for request in self._requests.values() if request.is_acknowledged}
        last = {r.key: r for r in self._requests.values() if r.key not in done}
        return list(last.values())

    def _acknowledged(self, action: str) -> Iterator[Request]:
        return (r for r in self._requests.values() if r.action == action and r.is_acknowledged)

    def _forget_old(self) -> None:
        if self._keep is None or len(self._requests) <= 2 * self._keep:
            return
        by_use = sorted(self._requests, key=lambda n: (not self._requests[n].answers, n))
        for number in by_use[: len(self._requests) - self._keep]:
            del self._requests[number]

    def _write(self, kind: str, *, at: datetime, **values: Any) -> None:
        if self._sink is not None:
            line = {"kind": kind, "at": at.isoformat(), **values}
            self._sink.write(json.dumps(line, separators=(",", ":")) + "\n")
            self._sink.flush()
