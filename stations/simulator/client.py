"""The socket of a station: a raw client for wire tests, and a link that matches answers to calls."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.frames import Frame as WebsocketFrame
from websockets.frames import Opcode
from websockets.typing import Subprotocol

from . import wire
from .journal import Journal, Request

# Answers to requests this old are no longer recognised.
REMEMBERED_REQUESTS = 500


class SimulatorError(Exception):
    """Base of what can go wrong between a station and its central system.

    SimulatorError
     ├─ HandshakeRefused     no websocket came to be
     ├─ ConnectionLost       there is no socket (any more)
     ├─ CallTimeout          no answer in time
     └─ CallErrorReceived    the answer was a CALLERROR
    """


class HandshakeRefused(SimulatorError):
    """`status` is the HTTP status, or None when the reply was not HTTP or broke the protocol."""

    def __init__(
        self, status: int | None, headers: Mapping[str, str], body: bytes, reason: str = ""
    ) -> None:
        super().__init__(f"handshake refused: {status or reason}")
        self.status = status
        self.headers = headers
        self.body = body


class ConnectionLost(SimulatorError):
    pass


class CallTimeout(SimulatorError):
    pass


class CallErrorReceived(SimulatorError):
    def __init__(self, error: wire.CallError) -> None:
        super().__init__(f"{error.code}: {error.description}")
        self.message_id = error.message_id
        self.code = error.code
        self.description = error.description
        self.details = error.details


class _DeafToPings(ClientConnection):
    """Never answers a ping, like stations whose websocket stack forgot about them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        send_frame = self.protocol.send_frame

        def without_pongs(frame: WebsocketFrame) -> None:
            if frame.opcode is not Opcode.PONG:
                send_frame(frame)

        self.protocol.send_frame = without_pongs  # type: ignore[method-assign]


def basic_authorization(username: str, password: str | bytes) -> str:
    """Source: OCPP-J 1.6 §6.2; the key may be any bytes."""
    secret = password.encode() if isinstance(password, str) else password
    return "Basic " + base64.b64encode(username.encode() + b":" + secret).decode()


class RawClient:
    """One websocket without manners: sends any text, reads any text.

    `identity` is percent-encoded into the last path segment, unless `target` gives the whole
    address, for tests of odd paths.
    """

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    @classmethod
    async def open(
        cls,
        url: str,
        identity: str = "",
        *,
        password: str | bytes | None = None,
        username: str | None = None,
        subprotocols: Sequence[str] | None = ("ocpp1.6",),
        headers: Mapping[str, str] | None = None,
        target: str | None = None,
        answer_pings: bool = True,
        open_timeout_s: float = 20,
        max_size: int | None = 2**24,
        tls: ssl.SSLContext | None = None,
    ) -> RawClient:
        """Shake hands. `tls` is for `wss`: whom to trust, and perhaps a certificate of our own.

        Raises:
            HandshakeRefused: the server answered something else than 101.
            OSError, TimeoutError: nobody answered.
        """
        extra = dict(headers or {})
        if password is not None:
            extra["Authorization"] = basic_authorization(username or identity, password)
        try:
            connection = await connect(
                target or f"{url.rstrip('/')}/{quote(identity, safe='')}",
                subprotocols=[Subprotocol(name) for name in subprotocols] if subprotocols else None,
                additional_headers=extra,
                user_agent_header=None,
                compression=None,
                proxy=None,
                ping_interval=None,
                close_timeout=2,
                open_timeout=open_timeout_s,
                max_size=max_size,
                max_queue=None,
                ssl=tls,
                create_connection=ClientConnection if answer_pings else _DeafToPings,
            )
        except InvalidStatus as exc:
            response = exc.response
            raise HandshakeRefused(
                response.status_code,
                dict(response.headers.raw_items()),
                bytes(response.body or b""),
            ) from exc
        except InvalidHandshake as exc:
            raise HandshakeRefused(None, {}, b"", str(exc)) from exc
        return cls(connection)

    @property
    def subprotocol(self) -> str | None:
        return self.connection.subprotocol

    @property
    def close_code(self) -> int | None:
        return self.connection.close_code

    @property
    def closed_by_server(self) -> bool:
        """The server sent a Close frame first."""
        return self.connection.protocol.close_rcvd_then_sent is True

    async def send(self, message: str | bytes) -> None:
        try:
            await self.connection.send(message)
        except ConnectionClosed as exc:
            raise ConnectionLost(str(exc)) from exc

    async def receive(self, timeout_s: float | None = None) -> str:
        """The next text message.

        Raises:
            ConnectionLost: the socket closed.
            TimeoutError: nothing came in time.
        """
        try:
            async with asyncio.timeout(timeout_s):
                message = await self.connection.recv()
        except ConnectionClosed as exc:
            raise ConnectionLost(str(exc)) from exc
        return message if isinstance(message, str) else message.decode()

    async def exchange(self, message: str | bytes, timeout_s: float = 5) -> str | None:
        """Send, and return the next message, or None when nothing comes in time."""
        await self.send(message)
        try:
            return await self.receive(timeout_s)
        except TimeoutError:
            return None

    async def close(self, code: int = 1000) -> None:
        await self.connection.close(code)

    def abort(self) -> None:
        """Cut the TCP connection without a Close frame."""
        self.connection.transport.abort()

    def freeze(self) -> None:
        """Read no more, not even pings, and leave the socket open: the peer sees it half-open."""
        self.connection.transport.pause_reading()


CallHandler = Callable[[wire.Call], Awaitable[None]]


class Link:
    """OCPP-J over one `RawClient`: one outstanding CALL of ours, answers matched by message id.

    Every frame and every answer goes to the journal, late and repeated ones too; `on_progress` is
    called after each CALL sent and each answer received.
    """

    def __init__(
        self,
        client: RawClient,
        identity: str,
        journal: Journal,
        on_call: CallHandler,
        *,
        on_progress: Callable[[], None] = lambda: None,
        call_timeout_s: float = 30,
    ) -> None:
        self.client = client
        self.identity = identity
        self.journal = journal
        self.closed = asyncio.Event()
        self.abandoned = False
        self.call_timeout_s = call_timeout_s
        self.last_received_at = asyncio.get_running_loop().time()
        self._on_call = on_call
        self._on_progress = on_progress
        self._turn = asyncio.Lock()
        self._pending: OrderedDict[str, tuple[asyncio.Future[wire.Payload], Request]] = (
            OrderedDict()
        )
        self._raw_waiters: list[asyncio.Future[str]] = []

    async def read(self) -> None:
        """Read until the socket closes; then every waiting call raises ConnectionLost."""
        try:
            while True:
                text = await self.client.receive()
                self.last_received_at = asyncio.get_running_loop().time()
                self.journal.record_frame(self.identity, "received", text)
                await self._take(text)
        except ConnectionLost:
            pass
        finally:
            self._end()

    def abandon(self) -> None:
        """Leave the socket open and unread."""
        self.abandoned = True
        self.client.freeze()
        self._end()

    def _end(self) -> None:
        self.closed.set()
        for future, _ in self._pending.values():
            if not future.done():
                future.set_exception(ConnectionLost("the connection closed"))
                future.exception()  # nobody may be waiting: that is no error
        for waiter in self._raw_waiters:
            if not waiter.done():
                waiter.set_exception(ConnectionLost("the connection closed"))
                waiter.exception()

    async def _take(self, text: str) -> None:
        if self._raw_waiters:
            waiter = self._raw_waiters.pop(0)
            if not waiter.done():
                waiter.set_result(text)
        try:
            frame = wire.parse(text)
        except wire.MalformedFrame:
            return
        if isinstance(frame, wire.Call):
            await self._on_call(frame)
            return
        if frame.message_id not in self._pending:
            return
        future, request = self._pending[frame.message_id]
        if isinstance(frame, wire.CallResult):
            self.journal.record_answer(request, result=frame.payload)
            if not future.done():
                future.set_result(frame.payload)
        else:
            self.journal.record_answer(request, error_code=frame.code)
            if not future.done():
                future.set_exception(CallErrorReceived(frame))
                future.exception()
        self._on_progress()

    async def send(self, text: str) -> None:
        self.journal.record_frame(self.identity, "sent", text)
        await self.client.send(text)

    async def send_raw(self, text: str, timeout_s: float) -> str | None:
        """Send any text; return the next message received, None if none comes in time."""
        waiter: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._raw_waiters.append(waiter)
        await self.send(text)
        try:
            async with asyncio.timeout(timeout_s):
                return await waiter
        except TimeoutError:
            return None
        finally:
            with contextlib.suppress(ValueError):
                self._raw_waiters.remove(waiter)

    async def call(
        self,
        message_id: str,
        action: str,
        payload: wire.Payload,
        *,
        key: str,
        text: str | None = None,
        copies: int = 1,
        exclusive: bool = True,
    ) -> wire.Payload:
        """Send a CALL and return the payload of its CALLRESULT.

        `text` replaces the encoded frame; `copies` sends it that often in a row; `exclusive=False`
        does not wait for the answer of an earlier CALL (OCPP-J 1.6 §4.1.1 forbids it; some do).

        Raises:
            CallErrorReceived, CallTimeout, ConnectionLost.
        """
        async with self._turn if exclusive else contextlib.nullcontext():
            if self.closed.is_set():
                raise ConnectionLost("there is no connection")
            request = self.journal.record_request(self.identity, key, message_id, action, payload)
            future: asyncio.Future[wire.Payload] = asyncio.get_running_loop().create_future()
            self._pending[message_id] = (future, request)
            while len(self._pending) > REMEMBERED_REQUESTS:
                self._pending.popitem(last=False)
            for _ in range(copies):
                await self.send(text or wire.encode_call(message_id, action, payload))
            self._on_progress()
            # Not wait_for: on Python 3.11 it swallows a cancellation that meets the answer.
            try:
                async with asyncio.timeout(self.call_timeout_s):
                    return await asyncio.shield(future)
            except TimeoutError as exc:
                raise CallTimeout(f"{action} was not answered") from exc

    async def close(self) -> None:
        await self.client.close()
        await self.closed.wait()
