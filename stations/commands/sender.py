"""From a command row to the socket and back: one call at a time, in the order of the rows.

A row is claimed and marked as sent in one statement, and only by the socket with the station's newest generation;
what was claimed is never sent again. The outcome is written when the answer comes, the deadline passes, or the
socket closes.
"""

import asyncio
import logging
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg_pool import PoolTimeout

from cms.base.json import dumps
from cms.base.time import utc_now
from stations.choices import CommandStatus, RegistrationStatus
from stations.commands.outcome import Outcome, judge_reply
from stations.commands.secrets import (
    MASK,
    authorization_key_bytes,
    is_secret_key,
    mask_payload,
    offered_profile,
)
from stations.ocpp.connection import CallExpired, Remains, ReplyReceived, SendFrame
from stations.ocpp.framing import CallError, CallResult
from stations.services.passwords import hash_password

if TYPE_CHECKING:
    from stations.ocpp.consumer import StationSocket

logger = logging.getLogger(__name__)

RETRY_S = 1.0
# How long both keys are accepted while nobody knows whether the station took the new one.
ROTATION_WINDOW = "24 hours"

# A pending station is asked nothing about charging (OCPP 1.6 §4.2); a rejected one is asked nothing.
CLAIM = """
UPDATE stations_command c
SET status = 'sent', sent_at = now(), generation = %(generation)s, gateway_id = %(gateway_id)s
WHERE c.id = (
    SELECT q.id FROM stations_command q
    JOIN stations_stationstate s ON s.station_id = q.station_id AND s.generation = %(generation)s
    WHERE q.station_id = %(station_id)s AND q.status = 'queued' AND q.expires_at > now()
      AND q.protocol = s.protocol
      AND (%(accepted)s OR q.action NOT IN ('RemoteStartTransaction', 'RemoteStopTransaction'))
    ORDER BY q.id LIMIT 1
    FOR UPDATE OF q SKIP LOCKED
)
RETURNING c.id, c.action, c.payload
"""

FINISH = """
UPDATE stations_command
SET status = %(status)s, finished_at = now(), response = %(response)s, error = %(error)s,
    message_id = %(message_id)s,
    payload = CASE WHEN %(masked)s::jsonb IS NULL THEN payload ELSE %(masked)s::jsonb END
WHERE id = %(id)s AND status = 'sent'
"""

LATE = """
UPDATE stations_command SET response = %(response)s,
    error = COALESCE(error, '{}') || '{"late": true}'
WHERE id = %(id)s AND status = 'timed_out'
"""

# The new key waits as `previous`; both are right until the answer is known.
OFFER_KEY = f"""
UPDATE stations_chargingstation
SET previous_password_hash = %s, previous_password_until = now() + interval '{ROTATION_WINDOW}'
WHERE id = %s
"""  # noqa: S608 - the window is a constant
SETTLE_ON_NEW = """
UPDATE stations_chargingstation
SET password_hash = %s, previous_password_hash = '', previous_password_until = NULL
WHERE id = %s
"""
KEEP_THE_OFFERED = """
UPDATE stations_chargingstation
SET password_hash = previous_password_hash, previous_password_hash = '', previous_password_until = NULL
WHERE id = %s AND previous_password_hash <> ''
"""
SETTLE_ON_OLD = """
UPDATE stations_chargingstation
SET previous_password_hash = '', previous_password_until = NULL
WHERE id = %s AND previous_password_hash <> ''
"""


# A higher security profile waits until the station has signed in on it (A05); what waited before comes back when
# the station refuses.
OFFER_PROFILE = """
UPDATE stations_chargingstation s SET offered_security_profile = %(profile)s
FROM (
    SELECT id, offered_security_profile AS before FROM stations_chargingstation
    WHERE id = %(station_id)s FOR NO KEY UPDATE
) o
WHERE s.id = o.id AND s.security_profile < %(profile)s
RETURNING o.before
"""
WITHDRAW_PROFILE = """
UPDATE stations_chargingstation SET offered_security_profile = %(before)s
WHERE id = %(station_id)s AND offered_security_profile = %(profile)s
"""


class SentCommand:
    """The call that is out: its row, and whether it carries a new key or security profile for the station."""

    __slots__ = (
        "action",
        "id",
        "offered_before",
        "offered_hash",
        "offered_profile",
        "offers_key",
        "payload",
    )

    def __init__(self, id: int, action: str, payload: dict[str, Any]) -> None:
        self.id = id
        self.action = action
        self.payload = payload
        self.offers_key = action == "ChangeConfiguration" and is_secret_key(payload.get("key"))
        self.offered_hash = ""
        if self.offers_key:
            secret = authorization_key_bytes(str(payload.get("value", "")))
            self.offered_hash = hash_password(secret)
        self.offered_profile = offered_profile(action, payload)
        self.offered_before: int | None = None


class CommandSender:
    """Sends one station's commands over its socket."""

    def __init__(self, socket: "StationSocket") -> None:
        self._socket = socket
        self._sending = False
        self._again = False
        self._later: asyncio.TimerHandle | None = None
        # Claims and outcomes on their way to or from the database.
        self._work: set[asyncio.Task[None]] = set()

    def wake(self) -> None:
        """Look for a queued command, unless a call is out: its end looks again.

        Some stations want to be left alone after a boot; then what waits is looked for afterwards.
        """
        if not self._socket.takes_commands or self._socket.protocol.in_flight is not None:
            return
        if (quiet_s := self._socket.memory.quiet_s(utc_now())) > 0:
            if self._later is None or self._later.cancelled():
                self._later = asyncio.get_running_loop().call_later(quiet_s, self._wake_later)
            return
        if self._sending:
            self._again = True
            return
        self._sending = True
        self._begin(self._send_next())

    def _wake_later(self) -> None:
        self._later = None
        self.wake()

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def settled(self) -> None:
        """Wait until no row is half-way: claimed and not yet sent, or answered and not yet written."""
        while self._work:
            await asyncio.wait(self._work)

    async def _send_next(self) -> None:
        try:
            while self._socket.takes_commands:
                self._again = False
                if self._socket.memory.registration == RegistrationStatus.REJECTED:
                    return
                try:
                    command = await self._claim()
                except (psycopg.Error, PoolTimeout) as error:
                    logger.warning("%s: no command claimed: %s", self._socket.identity, error)
                    await asyncio.sleep(RETRY_S)
                    continue
                if command is not None:
                    await self._send(command)
                    return
                if not self._again:
                    return
        finally:
            self._sending = False

    async def _claim(self) -> SentCommand | None:
        socket = self._socket
        async with socket.gateway.connection() as connection:
            cursor = await connection.execute(
                CLAIM,
                {
                    "station_id": socket.station_id,
                    "generation": socket.generation,
                    "gateway_id": socket.gateway.id,
                    "accepted": socket.memory.registration == RegistrationStatus.ACCEPTED,
                },
            )
            row = await cursor.fetchone()
            if row is None:
                return None
            command = SentCommand(*row)
            if command.offers_key:
                await connection.execute(OFFER_KEY, [command.offered_hash, socket.station_id])
            if command.offered_profile is not None:
                await self._offer_profile(connection, command)
            return command

    async def _offer_profile(self, connection: Any, command: SentCommand) -> None:
        offer = {"profile": command.offered_profile, "station_id": self._socket.station_id}
        cursor = await connection.execute(OFFER_PROFILE, offer)
        row = await cursor.fetchone()
        if row is None:
            command.offered_profile = None  # It has that one already.
        else:
            command.offered_before = row[0]

    async def _send(self, command: SentCommand) -> None:
        socket = self._socket
        events = socket.protocol.send_call(
            command.action, command.payload, asyncio.get_running_loop().time(), command
        )
        for event in events:
            if isinstance(event, SendFrame):
                await socket.send_text(event.text)
        call = socket.protocol.in_flight
        message_id = call.message_id if call is not None else ""
        masked = mask_payload(command.action, command.payload)
        socket.trace("out", "call", command.action, message_id, dumps(masked))

    # --- ends -------------------------------------------------------------------------------

    def replied(self, reply: ReplyReceived) -> None:
        """Write what the station answered and send what is next. Never blocks the reader on the database."""
        command: SentCommand = reply.tag
        self._trace_reply(reply)
        outcome = judge_reply(self._socket.protocol.version, command.action, reply.outcome)
        self._begin(self._end(command, outcome, reply.message_id, late=reply.late))

    def expired(self, event: CallExpired) -> None:
        """No answer in time: the command is over, the next one's turn has come."""
        self._begin(self._end(event.tag, _no_answer(), event.message_id))

    async def connection_closed(self, remains: Remains) -> None:
        """The socket is gone: what was out gets no answer any more and is not sent again."""
        call = remains.in_flight
        if call is not None:
            await self._finish(call.tag, _no_answer(), call.message_id)

    async def _end(
        self, command: SentCommand, outcome: Outcome, message_id: str, *, late: bool = False
    ) -> None:
        await self._finish(command, outcome, message_id, late=late)
        self.wake()

    async def _finish(
        self, command: SentCommand, outcome: Outcome, message_id: str, *, late: bool = False
    ) -> None:
        response = outcome.response
        if response is not None:
            response = mask_payload(command.action, response)
        masked = {**command.payload, "value": MASK} if command.offers_key else None
        parameters = {
            "id": command.id,
            "status": outcome.status,
            "response": None if response is None else _jsonb_text(response),
            "error": None if outcome.error is None else _jsonb_text(outcome.error),
            "message_id": message_id,
            "masked": None if masked is None else dumps(masked),
        }
        while True:
            try:
                async with self._socket.gateway.connection() as connection:
                    cursor = await connection.execute(LATE if late else FINISH, parameters)
                    if not late and not cursor.rowcount and response is not None:
                        # A sweep ended it while the answer could not be written.
                        await connection.execute(LATE, parameters)
                    if command.offers_key:
                        await self._settle_rotation(connection, command, outcome)
                    if command.offered_profile is not None:
                        await self._settle_offer(connection, command, outcome)
                self._socket.gateway.note_change(self._socket.station_id)
                return
            except (psycopg.OperationalError, PoolTimeout) as error:
                logger.warning("%s: outcome not written yet: %s", self._socket.identity, error)
                await asyncio.sleep(RETRY_S)

    async def _settle_rotation(
        self, connection: Any, command: SentCommand, outcome: Outcome
    ) -> None:
        """One key once the answer is known; both while it is not (A01.FR.03, A01.FR.04)."""
        if outcome.status == CommandStatus.ACCEPTED:
            parameters = [command.offered_hash, self._socket.station_id]
            await connection.execute(SETTLE_ON_NEW, parameters)
        elif outcome.status != CommandStatus.TIMED_OUT:
            await connection.execute(SETTLE_ON_OLD, [self._socket.station_id])

    async def _settle_offer(self, connection: Any, command: SentCommand, outcome: Outcome) -> None:
        """An offer stands once it is taken, and while nobody knows whether it was."""
        if outcome.status not in (CommandStatus.ACCEPTED, CommandStatus.TIMED_OUT):
            await connection.execute(
                WITHDRAW_PROFILE,
                {
                    "profile": command.offered_profile,
                    "station_id": self._socket.station_id,
                    "before": command.offered_before,
                },
            )

    async def settle_password(self, used_new: bool) -> None:
        """The station came back after a rotation whose answer was lost: what it used is its key."""
        async with self._socket.gateway.connection() as connection:
            statement = KEEP_THE_OFFERED if used_new else SETTLE_ON_OLD
            await connection.execute(statement, [self._socket.station_id])

    def _trace_reply(self, reply: ReplyReceived) -> None:
        if isinstance(reply.outcome, CallResult):
            body = dumps(mask_payload(reply.action, reply.outcome.payload))
            self._socket.trace("in", "result", reply.action, reply.message_id, body)
        elif isinstance(reply.outcome, CallError):
            body = dumps([reply.outcome.code, reply.outcome.description, reply.outcome.details])
            self._socket.trace("in", "error", reply.action, reply.message_id, body)


def _no_answer() -> Outcome:
    return Outcome(
        CommandStatus.TIMED_OUT,
        error={"code": "no_answer", "description": "The station did not answer."},
    )


def _jsonb_text(value: dict[str, Any]) -> str:
    """JSON that jsonb takes: it refuses the NUL character."""
    return dumps(value).replace("\\u0000", "")
