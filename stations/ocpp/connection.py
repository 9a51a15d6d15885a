"""One station's connection as a state machine: text in, events out; no I/O, no clock.

The owner feeds it frames and the time, and sends what `SendFrame` events and the `answer` functions give back:

    receive_text(text, now)      → events, in order
    send_call(action, ...)       → at most one SendFrame; the call waits if another is unanswered
    tick(now)                    → expired calls, and the next call to send; due at `next_deadline`
    answer / answer_error        → frames to send for a CallReceived (or `abandon` it)
    close()                      → what was in flight and what never left

At most one CALL of ours is unanswered; the station's own CALLs are never refused because of it (OCPP-J §4.1.1).
`now` is any clock that only moves forward, in seconds. Everything kept here is bounded.

A CALL repeated on this connection with the same id and the same text is not handled again: the stored reply is
sent once more (`CallReplayed`). The same id with another text is a new call, marked `id_reused`: stations restart
their counters. Across connections ids mean nothing; there the business keys answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from stations.ocpp import framing
from stations.ocpp.errors import ErrorCode, QueueFull
from stations.ocpp.framing import (
    Broken,
    Call,
    CallError,
    CallResult,
    CallResultError,
    Oversized,
    Send,
)
from stations.ocpp.schemas import UNANSWERED
from stations.ocpp.validation import action_known, order_request, order_response
from stations.ocpp.versions import Version

MAX_QUEUED_CALLS = 64
# The last replies kept for replay, and the last expired calls kept for late answers.
MAX_KEPT_REPLIES = 16
MAX_KEPT_REPLY_LENGTH = 1024
MAX_OPEN_CALLS = 256
MAX_WAITING_REPLAYS = 16
MAX_EXPIRED_CALLS = 16

# These ask for the state of now; an old answer would be wrong, and handling them twice does no harm.
NEVER_REPLAYED = frozenset({"Authorize", "BootNotification", "Heartbeat"})

CLOSE_TOO_BIG = 4009


@dataclass(frozen=True, slots=True)
class CallReceived:
    """Handle `call` and give the result to `answer` or `answer_error`."""

    call: Call
    id_reused: bool = False


@dataclass(frozen=True, slots=True)
class CallReplayed:
    """A repetition; nothing to do. Its reply is in a SendFrame beside this, or follows with the first one's."""

    call: Call


@dataclass(frozen=True, slots=True)
class SendReceived:
    """OCPP 2.1: a message to handle without an answer."""

    send: Send


@dataclass(frozen=True, slots=True)
class ReplyReceived:
    """The station answered our call `tag`; not yet checked against its schema.

    `outcome` is Broken where the answer could not be read. `late`: it came after the call had expired.
    """

    message_id: str
    action: str
    tag: Any
    outcome: CallResult | CallError | Broken
    late: bool


@dataclass(frozen=True, slots=True)
class ResultRefused:
    """OCPP 2.1: the station could not use our answer to its call."""

    error: CallResultError


@dataclass(frozen=True, slots=True)
class CallExpired:
    """No answer in time, or, with `sent` False, the call's own expiry passed while it waited."""

    message_id: str
    action: str
    tag: Any
    sent: bool


@dataclass(frozen=True, slots=True)
class SendFrame:
    """Send `text` now. `tag` is the call's where it is one of ours; None for answers to broken frames."""

    text: str
    tag: Any = None


@dataclass(frozen=True, slots=True)
class FrameBroken:
    """A frame that could not be read; a CALLERROR is in the SendFrame that follows."""

    frame: Broken


@dataclass(frozen=True, slots=True)
class FrameIgnored:
    reason: str


@dataclass(frozen=True, slots=True)
class CloseConnection:
    """Close the socket with `code`."""

    code: int
    reason: str


Event: TypeAlias = (
    CallReceived
    | CallReplayed
    | SendReceived
    | ReplyReceived
    | ResultRefused
    | CallExpired
    | SendFrame
    | FrameBroken
    | FrameIgnored
    | CloseConnection
)


@dataclass(frozen=True, slots=True)
class OutgoingCall:
    """A call of ours. `deadline` is when it stops waiting: for its turn, or for its answer."""

    message_id: str
    action: str
    payload: Mapping[str, Any]
    tag: Any
    deadline: float | None


@dataclass(frozen=True, slots=True)
class Remains:
    """What a closed connection leaves behind."""

    in_flight: OutgoingCall | None
    unsent: tuple[OutgoingCall, ...]


class OcppConnection:
    """See the module. `id_prefix` (at most 20 characters) begins our message ids; make it unlike for each connection."""

    __slots__ = (
        "version",
        "unmatched_replies",
        "timeouts_in_a_row",
        "_call_timeout_s",
        "_id_prefix",
        "_counter",
        "_in_flight",
        "_queue",
        "_expired",
        "_open",
        "_replies",
    )

    def __init__(self, version: Version, *, call_timeout_s: float, id_prefix: str) -> None:
        if len(id_prefix) > 20:
            raise ValueError("id_prefix may have at most 20 characters")
        self.version = version
        self.unmatched_replies = 0
        self.timeouts_in_a_row = 0
        self._call_timeout_s = call_timeout_s
        self._id_prefix = id_prefix
        self._counter = 0
        self._in_flight: OutgoingCall | None = None
        # A list: it is short, mostly empty, and an empty list is smaller than a deque.
        self._queue: list[OutgoingCall] = []
        self._expired: dict[str, tuple[str, Any]] = {}
        # message id → [hash of the frame, repetitions that wait for the reply]
        self._open: dict[str, list[int]] = {}
        # message id → (hash of the frame, reply)
        self._replies: dict[str, tuple[int, str]] = {}

    # What the station sends

    def receive_text(self, text: str | bytes, now: float) -> list[Event]:
        """Read one frame. Never raises."""
        frame = framing.parse(text, self.version)
        if isinstance(frame, Call):
            return self._receive_call(frame)
        if isinstance(frame, CallResult | CallError):
            return self._receive_reply(frame.message_id, frame, now)
        if isinstance(frame, Broken):
            return self._receive_broken(frame, now)
        if isinstance(frame, Send):
            if frame.action not in UNANSWERED:
                return [FrameIgnored("A SEND of what is no SEND.")]
            return [SendReceived(frame)]
        if isinstance(frame, CallResultError):
            return [ResultRefused(frame)]
        if isinstance(frame, Oversized):
            return [CloseConnection(CLOSE_TOO_BIG, "The frame is too big.")]
        return [FrameIgnored(frame.reason)]

    def _receive_call(self, call: Call) -> list[Event]:
        if call.action in UNANSWERED and action_known(self.version, call.action):
            description = f"{call.action} is to be a SEND, not a CALL."
            return self._refuse(Broken(call.message_id, ErrorCode.PROTOCOL_ERROR, description))
        if call.action in NEVER_REPLAYED:
            return [CallReceived(call)]
        message_id, text_hash = call.message_id, hash(call.text)
        reused = False
        waiting = self._open.get(message_id)
        if waiting is not None:
            if waiting[0] == text_hash:
                waiting[1] = min(waiting[1] + 1, MAX_WAITING_REPLAYS)
                return [CallReplayed(call)]
            reused = True
        reply = self._replies.get(message_id)
        if reply is not None:
            if reply[0] == text_hash and not reused:
                return [CallReplayed(call), SendFrame(reply[1])]
            reused = True
        if reused or len(self._open) < MAX_OPEN_CALLS:
            self._open[message_id] = [text_hash, 0]
        return [CallReceived(call, reused)]

    def _receive_reply(
        self, message_id: str, outcome: CallResult | CallError | Broken, now: float
    ) -> list[Event]:
        pending = self._in_flight
        if pending is not None and pending.message_id == message_id:
            self._in_flight = None
            self.timeouts_in_a_row = 0
            reply = ReplyReceived(message_id, pending.action, pending.tag, outcome, late=False)
            return [reply, *self._send_next(now)]
        expired = self._expired.pop(message_id, None)
        if expired is not None:
            self.timeouts_in_a_row = 0
            return [ReplyReceived(message_id, *expired, outcome, late=True)]
        self.unmatched_replies += 1
        return [FrameIgnored("A reply to no call of ours.")]

    def _receive_broken(self, frame: Broken, now: float) -> list[Event]:
        if frame.is_reply and frame.message_id is not None:
            return self._receive_reply(frame.message_id, frame, now)
        return self._refuse(frame)

    def _refuse(self, frame: Broken) -> list[Event]:
        answer = framing.encode_error(
            self.version, frame.message_id, frame.error, frame.description
        )
        return [FrameBroken(frame), SendFrame(answer)]

    # What we answer

    def answer(self, call: Call, payload: Mapping[str, Any]) -> list[str]:
        """The frames that answer `call`: one, and one more for each repetition that came meanwhile."""
        ordered = order_response(self.version, call.action, payload)
        return self._remember(call, framing.encode_result(call.message_id, ordered))

    def answer_error(
        self,
        call: Call,
        error: ErrorCode,
        description: str = "",
        details: Mapping[str, Any] | None = None,
    ) -> list[str]:
        """The frames that refuse `call`. A refusal is not replayed later: what failed may work next time."""
        text = framing.encode_error(self.version, call.message_id, error, description, details)
        return [text] * (1 + self._close_call(call))

    def abandon(self, call: Call) -> None:
        """`call` will not be answered (it could not be stored): let a repetition be handled anew."""
        self._close_call(call)

    def _remember(self, call: Call, text: str) -> list[str]:
        repetitions = self._close_call(call)
        if call.action not in NEVER_REPLAYED and len(text) <= MAX_KEPT_REPLY_LENGTH:
            replies = self._replies
            replies.pop(call.message_id, None)
            replies[call.message_id] = (hash(call.text), text)
            if len(replies) > MAX_KEPT_REPLIES:
                del replies[next(iter(replies))]
        return [text] * (1 + repetitions)

    def _close_call(self, call: Call) -> int:
        waiting = self._open.get(call.message_id)
        if waiting is None or waiting[0] != hash(call.text):
            return 0
        del self._open[call.message_id]
        return waiting[1]

    # What we ask

    def send_call(
        self,
        action: str,
        payload: Mapping[str, Any],
        now: float,
        tag: Any = None,
        *,
        expires_at: float | None = None,
    ) -> list[Event]:
        """Send a call, or queue it behind the one that is unanswered; `expires_at` limits the time in the queue.

        Raises:
            QueueFull: MAX_QUEUED_CALLS are waiting already.
            KeyError: the version does not know the action.
        """
        self._counter += 1
        call = OutgoingCall(
            f"{self._id_prefix}{self._counter}",
            action,
            order_request(self.version, action, payload),
            tag,
            expires_at,
        )
        if self._in_flight is None and not self._queue:
            return [self._launch(call, now)]
        if len(self._queue) >= MAX_QUEUED_CALLS:
            raise QueueFull
        self._queue.append(call)
        return []

    def withdraw(self, tag: Any) -> bool:
        """Take a call out of the queue; False if it has left already or never was there."""
        for position, call in enumerate(self._queue):
            if call.tag == tag:
                del self._queue[position]
                return True
        return False

    def tick(self, now: float) -> list[Event]:
        """Expire what is due and send what comes next."""
        events: list[Event] = []
        pending = self._in_flight
        if pending is not None and pending.deadline is not None and pending.deadline <= now:
            self._in_flight = None
            self.timeouts_in_a_row += 1
            self._expired[pending.message_id] = (pending.action, pending.tag)
            if len(self._expired) > MAX_EXPIRED_CALLS:
                del self._expired[next(iter(self._expired))]
            events.append(CallExpired(pending.message_id, pending.action, pending.tag, sent=True))
        return events + self._send_next(now)

    @property
    def next_deadline(self) -> float | None:
        """When `tick` is next worth calling; None while nothing waits."""
        waiting = (self._in_flight, *self._queue)
        deadlines = [call.deadline for call in waiting if call and call.deadline is not None]
        return min(deadlines, default=None)

    @property
    def in_flight(self) -> OutgoingCall | None:
        return self._in_flight

    @property
    def queued(self) -> int:
        return len(self._queue)

    def close(self) -> Remains:
        """The socket is gone: hand over what was in flight and what never left."""
        remains = Remains(self._in_flight, tuple(self._queue))
        self._in_flight = None
        self._queue = []
        return remains

    def _send_next(self, now: float) -> list[Event]:
        """Expire what has waited too long; send the next if nothing is unanswered."""
        if not self._queue:
            return []
        events: list[Event] = []
        waiting = []
        for call in self._queue:
            if call.deadline is not None and call.deadline <= now:
                events.append(CallExpired(call.message_id, call.action, call.tag, sent=False))
            else:
                waiting.append(call)
        self._queue = waiting
        if waiting and self._in_flight is None:
            events.append(self._launch(waiting.pop(0), now))
        return events

    def _launch(self, call: OutgoingCall, now: float) -> SendFrame:
        deadline = now + self._call_timeout_s
        self._in_flight = OutgoingCall(
            call.message_id, call.action, call.payload, call.tag, deadline
        )
        return SendFrame(framing.encode_call(call.message_id, call.action, call.payload), call.tag)
