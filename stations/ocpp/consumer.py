"""A station's socket: handshake, reader, ordered worker, replies.

The reader parses, matches answers to our calls, and queues the station's calls; the worker handles them strictly
in order; different stations run side by side. Nothing awaits a call of ours inside a handler.
"""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

import psycopg
from channels.consumer import AsyncConsumer
from django.conf import settings
from django.db import InterfaceError, OperationalError
from psycopg_pool import PoolTimeout

from cms.base.time import utc_now
from stations.choices import HandshakeRefusal, RegistrationStatus, RepairKind
from stations.commands.sender import CommandSender
from stations.gateway import Gateway
from stations.ingest.cache import KnownStation
from stations.ingest.facts import (
    ConnectionClosed,
    ConnectionOpened,
    HandshakeRefused,
    MessageSeen,
)
from stations.ingest.writer import FactQuarantined
from stations.maintenance.certificates import note_shown_certificate
from stations.ocpp import connection as protocol
from stations.ocpp.connection import OcppConnection
from stations.ocpp.context import CallContext, Handler, StationMemory, storable
from stations.ocpp.errors import CallRefused, ErrorCode
from stations.ocpp.framing import Call
from stations.ocpp.handshake import Accepted, Doorkeeper, FailureLimit, Refused, client_address
from stations.ocpp.v16.routes import ROUTES as ROUTES_16
from stations.ocpp.validation import Violation, check_inbound
from stations.ocpp.versions import Version
from stations.quirks import find_profile, profile_of_boot
from stations.services.security_profiles import raise_security_profile

logger = logging.getLogger(__name__)

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

ROUTES: Mapping[Version, Mapping[str, Handler]] = {Version.V16: ROUTES_16}
WATCHDOG_TIMEOUTS = 3
RETRY_S = 0.5
# Close codes of our own (RFC 6455 §7.4.2).
CLOSE_CODES = {
    "superseded": 4001,
    "server_stopping": 1001,
    "deaf": 4002,
    "certificate_revoked": 4003,
    "station_removed": 4004,
}


class Endpoint:
    """What the sockets of one process share."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.doorkeeper = Doorkeeper(gateway.cache)
        self.failures = FailureLimit(settings.OCPP_FAILED_HANDSHAKES_PER_MINUTE)


class OcppConsumer(AsyncConsumer):
    """The ASGI application of one station socket.

    A Channels consumer whose loop is its own: no thread hop per frame and no channel-layer receive per socket;
    the gateway routes commands to sockets.
    """

    endpoint: Endpoint

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        gateway = self.endpoint.gateway
        await receive()  # websocket.connect
        now = utc_now()
        try:
            if gateway.draining:
                raise psycopg.OperationalError("the server is stopping")
            verdict = await self.endpoint.doorkeeper.judge(scope, now=now)
        except (psycopg.Error, PoolTimeout) as error:
            logger.warning("a handshake was put off: %s", error)
            await _deny(scope, send, 503, HandshakeRefusal.UNAVAILABLE)
            return
        if isinstance(verdict, Refused):
            await self._refuse(scope, send, verdict, now)
            return
        socket = StationSocket(self.endpoint, verdict, send)
        await socket.run(receive, client_address(scope))

    async def _refuse(
        self, scope: dict[str, Any], send: Send, refused: Refused, now: datetime
    ) -> None:
        address = client_address(scope)
        too_many = self.endpoint.failures.count(address, now.timestamp())
        logger.info("refused %s from %s: %s", refused.identity, address, refused.reason)
        if too_many:
            await _deny(scope, send, 429, HandshakeRefusal.RATE_LIMITED)
            return
        station = refused.station
        fact = HandshakeRefused(
            operator_id=station.operator_id if station else None,
            station_id=station.id if station else None,
            identity=refused.identity,
            reason=refused.reason,
            detail=storable(refused.detail, 255),
            remote_address=address,
            subprotocols=storable(",".join(scope.get("subprotocols") or ()), 255),
            at=now,
        )
        with contextlib.suppress(FactQuarantined):
            await self.endpoint.gateway.writer.record(fact)
            self.endpoint.gateway.note_refusal(fact.identity, fact.operator_id, fact.station_id)
        await _deny(scope, send, refused.status, refused.reason)


class StationSocket:
    """An accepted socket and what it remembers; the gateway's `Link`."""

    def __init__(self, endpoint: Endpoint, accepted: Accepted, send: Send) -> None:
        self.gateway = endpoint.gateway
        self.station_id = accepted.station.id
        self.operator_id = accepted.station.operator_id
        self.identity = accepted.station.identity
        self.generation = 0
        self.memory = StationMemory(accepted.station, 0, 0, accepted.station.registration_status)
        self._accepted = accepted
        self._send = send
        self._routes = ROUTES[accepted.version]
        self.protocol = OcppConnection(
            accepted.version,
            call_timeout_s=settings.OCPP_CALL_TIMEOUT_S,
            id_prefix=secrets.token_hex(6) + "-",
        )
        self.commands = CommandSender(self)
        self._calls: asyncio.Queue[tuple[Call, datetime]] = asyncio.Queue(settings.OCPP_QUEUE_LIMIT)
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._close_reason = ""
        # From the accepted handshake to the last reply.
        self._open = False
        # Nothing comes from the station any more; replies to what came before may still reach it.
        self._ended = False

    # --- life -------------------------------------------------------------------------------

    async def run(self, receive: Receive, address: str) -> None:
        """Take the next generation, accept, and serve until the socket is gone."""
        accepted = self._accepted
        writer = self.gateway.writer
        [opened] = await writer.record(
            ConnectionOpened(
                station_id=self.station_id,
                gateway_id=self.gateway.id,
                protocol=accepted.version.subprotocol,
                security_profile=accepted.security_profile,
                remote_address=address,
                at=utc_now(),
            )
        )
        self.generation = self.memory.generation = opened.generation
        self.memory.boot_count = opened.boot_count
        self.memory.quirks = find_profile(opened.vendor, opened.model, opened.firmware_version)
        worker = asyncio.create_task(self._work())
        try:
            if accepted.used_previous_password or accepted.station.previous_password_hash:
                await self.commands.settle_password(accepted.used_previous_password)
            if accepted.certificate is not None and accepted.certificate.new:
                await self._with_orm(
                    note_shown_certificate,
                    station_id=self.station_id,
                    pem=accepted.certificate.pem,
                )
            await self._raise_profile()
            await self._send({"type": "websocket.accept", "subprotocol": accepted.subprotocol})
            self._open = True
            self.gateway.register(self)
            if opened.command_waits:
                self.wake()
            await self._read(receive)
        finally:
            self._ended = True
            self.gateway.unregister(self)
            await self._finish(worker)

    async def _finish(self, worker: asyncio.Task[None]) -> None:
        """Let what was received be written and answered; then say that the socket is gone.

        A server that stops hears no further message but carries replies until this returns.
        """
        if self._calls.empty():
            self._calls.put_nowait(_END)
        with contextlib.suppress(asyncio.CancelledError):
            await worker
        self._open = False
        with contextlib.suppress(asyncio.CancelledError):
            await self.commands.settled()
        for task in list(self._tasks):
            task.cancel()
        await self.commands.connection_closed(self.protocol.close())
        await self.gateway.writer.record(
            ConnectionClosed(
                station_id=self.station_id,
                generation=self.generation,
                reason=self._close_reason or "closed_by_station",
                at=utc_now(),
            )
        )

    def close(self, reason: str) -> None:
        """End the socket, for one of the reasons of CLOSE_CODES."""
        if not self._close_reason:
            self._close_reason = reason
            self.spawn(self._close())

    async def _close(self) -> None:
        if self._open:
            await self._send_safely(
                {"type": "websocket.close", "code": CLOSE_CODES.get(self._close_reason, 1001)}
            )

    def spawn(self, work: Any) -> None:
        """Run a coroutine beside the reader; it ends with the socket at the latest."""
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- the gateway's side -----------------------------------------------------------------

    @property
    def takes_commands(self) -> bool:
        """Whether the answer to a command could still arrive."""
        return self._open and not self._ended

    def wake(self) -> None:
        """A command may be waiting for this station."""
        self.commands.wake()

    def tick(self, now: float) -> None:
        """Let calls expire; after several in a row the station is taken for deaf and its socket recycled."""
        if self.protocol.in_flight is None:
            return
        for event in self.protocol.tick(now):
            if isinstance(event, protocol.CallExpired):
                self.commands.expired(event)
        if self.protocol.timeouts_in_a_row >= WATCHDOG_TIMEOUTS:
            self.close("deaf")

    def station_changed(self) -> None:
        """Read the station's row again: it may have been accepted, moved or removed."""
        self.spawn(self._reload_station())

    async def _reload_station(self) -> None:
        try:
            station = await self.gateway.cache.station(self.identity)
        except (psycopg.Error, PoolTimeout):
            return
        if station is None or station.id != self.station_id:
            self.close("station_removed")
            return
        self.memory.station = station
        try:
            if await self._is_revoked(station):
                self.close("certificate_revoked")
                return
        except (psycopg.Error, PoolTimeout):
            logger.warning("%s: its certificate was not looked at again", self.identity)
        if station.accepted:
            self.memory.registration = RegistrationStatus.ACCEPTED

    async def _is_revoked(self, station: KnownStation) -> bool:
        certificate = self._accepted.certificate
        if certificate is None:
            return False
        trust = await self.gateway.cache.client_trust(station, certificate.fingerprint)
        return trust.revoked_at is not None

    async def _raise_profile(self) -> None:
        """Hold the station to the profile that it was asked for, if it signed in that way."""
        reached = self._accepted.security_profile
        offered = self.memory.station.offered_security_profile
        if offered is not None and offered <= reached:
            await self._with_orm(
                raise_security_profile, station_id=self.station_id, reached=reached
            )

    async def _with_orm(self, function: Callable[..., Any], **values: Any) -> None:
        """Call a domain function off the event loop. Raises psycopg.OperationalError if it cannot be done now."""
        try:
            await self.gateway.run_in_thread(partial(function, **values))
        except (OperationalError, InterfaceError) as error:
            raise psycopg.OperationalError(str(error)) from error

    # --- reader -----------------------------------------------------------------------------

    async def _read(self, receive: Receive) -> None:
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text")
            frame: str | bytes = text if text is not None else (message.get("bytes") or b"")
            received_at = utc_now()
            self.gateway.writer.saw(self.station_id, received_at)
            for event in self.protocol.receive_text(frame, self._loop.time()):
                await self._act_on(event, received_at)

    async def _act_on(self, event: protocol.Event, received_at: datetime) -> None:
        if isinstance(event, protocol.CallReceived):
            await self._calls.put((event.call, received_at))
        elif isinstance(event, protocol.SendFrame):
            await self._send_text(event.text)
        elif isinstance(event, protocol.ReplyReceived):
            self.commands.replied(event)
        elif isinstance(event, protocol.CloseConnection):
            await self._send_safely({"type": "websocket.close", "code": event.code})
        elif isinstance(event, protocol.FrameBroken):
            logger.info("%s sent a broken frame: %s", self.identity, event.frame.description)

    # --- worker -----------------------------------------------------------------------------

    async def _work(self) -> None:
        while not (self._ended and self._calls.empty()):
            call, received_at = await self._calls.get()
            if call is _END[0]:
                return
            try:
                await self._answer(call, received_at)
            except Exception:  # the worker's outermost loop: one message never silences a station
                reference = secrets.token_hex(4)
                logger.exception("%s %s failed (ref %s)", self.identity, call.action, reference)
                refusal = CallRefused(
                    ErrorCode.INTERNAL_ERROR, f"Something went wrong here (ref {reference})."
                )
                await self._refuse(call, refusal)

    async def _answer(self, call: Call, received_at: datetime) -> None:
        context = CallContext(self.gateway, self.memory, call, received_at)
        if call.action == "BootNotification":
            self.memory.quirks = profile_of_boot(call.payload)
        if cut := self.memory.quirks.shorten_texts(call.action, call.payload):
            context.repair(RepairKind.FIELDS, cut)
        checked = check_inbound(self._accepted.version, call.action, call.payload)
        try:
            if isinstance(checked, Violation):
                raise checked.as_refusal()
            registered = self.memory.registration == RegistrationStatus.ACCEPTED
            if not registered and call.action != "BootNotification":
                raise CallRefused(ErrorCode.SECURITY_ERROR, "The station is not accepted yet.")
            handler = self._routes.get(call.action)
            if handler is None:
                raise CallRefused(ErrorCode.NOT_SUPPORTED, f"{call.action} is not served here.")
            if checked.repairs:
                context.repair(RepairKind.FIELDS, checked.repairs)
            result = await self._handle(handler, context, checked.payload)
        except CallRefused as refusal:
            context.trace_unless_recorded()
            await self._refuse(call, refusal)
            return
        except psycopg.OperationalError as error:
            # Nothing was promised; the station tells it again.
            logger.warning("%s: %s was not answered: %s", self.identity, call.action, error)
            return
        context.trace_unless_recorded()
        if context.repairs:
            self.gateway.writer.repaired(self.station_id, context.repairs)
        for text in self.protocol.answer(call, result):
            await self._send_text(text)
        self._trace_reply(call, "result", text)

    async def _handle(
        self, handler: Handler, context: CallContext, payload: dict[str, Any]
    ) -> dict[str, Any]:
        """The handler's result, however long the database is away.

        Silence makes a station keep what it has to tell; after a few errors it throws it away (OCPP 1.6 §3.7.1,
        TransactionMessageAttempts). Raises psycopg.OperationalError when the socket ends meanwhile.
        """
        repairs = context.repairs.copy()
        while True:
            try:
                return await handler(context, payload)
            except FactQuarantined:
                # Kept raw; the station must not send it for ever.
                return {}
            except psycopg.OperationalError as error:
                if self._ended:
                    raise
                logger.warning(
                    "%s: %s waits for the database: %s", self.identity, context.call.action, error
                )
            await asyncio.sleep(RETRY_S)
            context.repairs = repairs.copy()

    async def _refuse(self, call: Call, refusal: CallRefused) -> None:
        text = ""
        for text in self.protocol.answer_error(
            call, refusal.error, refusal.description, refusal.details
        ):
            await self._send_text(text)
        self._trace_reply(call, "error", text)

    def _trace_reply(self, call: Call, kind: str, text: str) -> None:
        self.trace("out", kind, call.action, call.message_id, _body(text))

    def trace(self, direction: str, kind: str, action: str, message_id: str, payload: str) -> None:
        """Leave a frame to the asynchronous trace."""
        self.gateway.writer.trace(
            MessageSeen(
                at=utc_now(),
                station_id=self.station_id,
                generation=self.generation,
                direction=direction,
                type=kind,
                action=action,
                message_id=message_id,
                payload=payload,
            )
        )

    # --- sending ----------------------------------------------------------------------------

    async def _send_text(self, text: str) -> None:
        if self._open:
            await self._send_safely({"type": "websocket.send", "text": text})

    async def send_text(self, text: str) -> None:
        """Send a frame; does nothing on a socket that is gone."""
        await self._send_text(text)

    async def _send_safely(self, message: dict[str, Any]) -> None:
        try:
            await self._send(message)
        except (OSError, RuntimeError, AssertionError) as error:
            # Servers differ in what they raise for a socket that is gone; the disconnect event follows.
            logger.debug("%s: not sent: %s", self.identity, error)


_END: tuple[Any, Any] = (object(), None)


def _body(frame: str) -> str:
    """The part of a reply after its type and message id, as JSON: an object, or a list for an error."""
    second_comma = frame.index(",", frame.index(",") + 1)
    body = frame[second_comma + 1 : -1]
    return body if body.startswith("{") else f"[{body}]"


async def _deny(scope: Mapping[str, Any], send: Send, status: int, reason: str) -> None:
    """Answer the handshake with an HTTP status (ASGI extension `websocket.http.response`)."""
    if "websocket.http.response" not in (scope.get("extensions") or {}):
        await send({"type": "websocket.close", "code": 1008})
        return
    body = str(reason).encode()
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
    if status == 401:
        headers.append((b"www-authenticate", b'Basic realm="OCPP", charset="UTF-8"'))
    if status in (429, 503):
        headers.append((b"retry-after", b"30"))
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body, "more_body": False})
