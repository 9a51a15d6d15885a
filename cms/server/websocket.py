"""The websocket side of a connection: Autobahn speaks the frames, this class speaks ASGI."""

import asyncio
import http
import re
from time import monotonic
from typing import Any

import autobahn.websocket.protocol
from autobahn.util import encode_truncate
from autobahn.websocket.compress import PerMessageDeflateOffer, PerMessageDeflateOfferAccept
from daphne.ws_protocol import WebSocketFactory as DaphneWebSocketFactory
from daphne.ws_protocol import WebSocketProtocol
from twisted.internet import defer, reactor
from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

# Autobahn pretty-prints all its options for a debug line at each connection, whether or not anybody
# reads it: a third of the CPU time of a handshake, when thousands of stations come back at once.
autobahn.websocket.protocol.pformat = lambda options: options

# A client has to wait for our answer to its handshake; some do not. More than this ends the connection.
_EARLY_BYTES = 64 * 1024
# After an error we keep reading a little, so that the peer can take our Close frame off the wire
# (closing a socket with unread data makes the kernel send a reset instead).
_LINGER_S = 1.0
_LINGER_BYTES = 4 * 1024 * 1024
# Messages waiting for the application: stop reading at the one, go on at the other.
_QUEUE_HIGH, _QUEUE_LOW = 64, 16
# Reasons for not reading, as bits.
_APPLICATION_BUSY, _PEER_NOT_READING, _DRAINING = 1, 2, 4

_HEADER_NAME = re.compile(rb"[-!#$%&'*+.^_`|~0-9a-zA-Z]+")
_HEADER_VALUE = re.compile(rb"[^\x00\r\n]*")
_FRAMED_BY_US = {b"connection", b"content-length", b"transfer-encoding"}


def wire_close_code(code: int) -> int | None:
    """What may stand in a Close frame for the code the application gave; None for a frame without one."""
    if code == 1005:
        return None
    if 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999:
        return code
    return 1011


@implementer(IPushProducer)
class WebSocket(WebSocketProtocol):
    """One websocket connection and the application instance behind it.

    `scope` is set by the request that hands the transport over. Until the application answers
    (`_deciding`), nothing is read as frames. A Close code of 1006 from the application drops the TCP
    connection without a Close frame: some chargers never dial again after a clean close.
    """

    scope: dict[str, Any] | None = None
    # An asyncio.Queue of events once the application runs.
    application_queue: Any = None
    handshake_deferred: Any = None
    message_data: Any = None
    _deciding = False
    _denial: tuple[int, list[tuple[bytes, bytes]], bytes] | None = None
    _early = b""
    _discard_bytes: int | None = None
    _linger: Any = None
    _not_reading = 0
    _writable: asyncio.Event | None = None
    _disconnect_told = False

    def __repr__(self) -> str:
        return f"<WebSocket {self.peer}>"

    # --- Handshake --------------------------------------------------------------------------

    def connectionMade(self) -> None:
        self.heard_at = self.pinged_at = self.opened_at = monotonic()
        super().connectionMade()
        self.registerProducer(self, True)

    def onConnect(self, _request: Any) -> Any:
        self.server = self.factory.server_class
        self.server.protocol_connected(self)
        self.handshake_deferred = defer.Deferred()
        self._deciding = True
        scope, self.scope = self.scope, None
        self.application_queue = self.server.create_application(self, scope)
        self.application_queue.put_nowait({"type": "websocket.connect"})
        return self.handshake_deferred

    def onOpen(self) -> None:
        """Daphne logs here; an accepted handshake is the application's to log."""

    def failHandshake(self, reason: str, code: int = 400, responseHeaders: Any = None) -> None:
        """Autobahn found the handshake wanting; the application has not been asked."""
        headers = [(name.encode(), value.encode()) for name, value in responseHeaders or ()]
        headers.append((b"content-type", b"text/plain; charset=utf-8"))
        self._refuse(code, headers, reason.encode("utf-8", "replace"))

    def _accept(self, message: dict[str, Any]) -> None:
        subprotocol = message.get("subprotocol")
        if subprotocol is not None and subprotocol not in self.websocket_protocols:
            raise ValueError(f"The client did not offer the subprotocol {subprotocol!r}.")
        headers: dict[str, list[str]] = {}
        for name, value in message.get("headers") or ():
            _check_header(name, value)
            headers.setdefault(name.decode("ascii"), []).append(value.decode("latin-1"))
        self._deciding = False
        self.data, self._early = self._early, b""
        deferred, self.handshake_deferred = self.handshake_deferred, None
        deferred.callback((subprotocol, headers))

    def _refuse(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        """Answer the handshake with an ordinary HTTP response and close."""
        for name, value in headers:
            _check_header(name, value)
        try:
            phrase = http.HTTPStatus(status).phrase
        except ValueError:
            phrase = "Refused"
        lines = [f"HTTP/1.1 {status} {phrase}".encode("ascii")]
        lines += [
            name + b": " + value for name, value in headers if name.lower() not in _FRAMED_BY_US
        ]
        lines += [b"Content-Length: %d" % len(body), b"Connection: close", b"", body]
        self._deciding = False
        self.handshake_deferred = None
        self.wasNotCleanReason = f"handshake answered with {status}"
        self.transport.write(b"\r\n".join(lines))
        self.dropConnection(abort=False)

    # --- From the peer ------------------------------------------------------------------------

    def dataReceived(self, data: bytes) -> None:
        self.heard_at = monotonic()
        if self._discard_bytes is not None:
            self._discard_bytes -= len(data)
            if self._discard_bytes < 0:
                self.dropConnection(abort=True)
        elif self._deciding:
            self._early += data
            if len(self._early) > _EARLY_BYTES:
                self.dropConnection(abort=True)
        else:
            self._dataReceived(data)

    def onMessageFrame(self, payload: list[bytes]) -> None:
        # Without the empty pieces, so that a stream of empty fragments does not grow a list.
        super().onMessageFrame([piece for piece in payload if piece])

    def onMessageEnd(self) -> None:
        if not self.failedByMe:
            self.onMessage(b"".join(self.message_data), self.message_is_binary)
        self.message_data = None

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        if self.state != self.STATE_OPEN or self._disconnect_told:
            # Closing or shutting down: what we do not answer, the station sends again.
            return
        if isBinary:
            event: dict[str, Any] = {"type": "websocket.receive", "bytes": payload}
        else:
            try:
                event = {"type": "websocket.receive", "text": payload.decode()}
            except UnicodeDecodeError:
                self._fail_connection(1007, "invalid UTF-8")
                return
        self.application_queue.put_nowait(event)
        if self.application_queue.qsize() >= _QUEUE_HIGH:
            self._stop_reading(_APPLICATION_BUSY)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        if self.application_queue is None:
            return
        if self.closedByMe:
            code, reason = self.localCloseCode, None
        self._tell_disconnect(1005 if code is None else code, reason or "")
        self.server.protocol_disconnected(self)

    def connectionLost(self, reason: Any) -> None:
        if self._linger is not None and self._linger.active():
            self._linger.cancel()
        if self._writable is not None:
            self._writable.set()
        self._deciding = False
        super().connectionLost(reason)

    def _tell_disconnect(self, code: int, reason: str = "") -> None:
        if not self._disconnect_told:
            self._disconnect_told = True
            self.application_queue.put_nowait(
                {"type": "websocket.disconnect", "code": code, "reason": reason}
            )

    # --- Failing politely ---------------------------------------------------------------------

    def _fail_connection(self, code: int = 1002, reason: str = "") -> None:
        """Send one Close frame, then throw away whatever still comes and close shortly after."""
        if self.state == self.STATE_OPEN:
            self.failedByMe = True
            self.sendCloseFrame(code=code, reasonUtf8=encode_truncate(reason, 123))
        self.data = b""
        self._discard_bytes = _LINGER_BYTES
        self._resume_reading(_APPLICATION_BUSY | _DRAINING)
        if self._linger is None:
            self._linger = reactor.callLater(_LINGER_S, self.dropConnection)

    def _protocol_violation(self, reason: str) -> bool:
        self._fail_connection(1002, reason)
        return True

    def _invalid_payload(self, reason: str) -> bool:
        self._fail_connection(1007, reason)
        return True

    def dropConnection(self, abort: bool = False) -> None:
        # Autobahn resets the connection even after a complete closing handshake.
        super().dropConnection(abort=abort and not self.wasClean)

    # --- From the application -------------------------------------------------------------------

    def handle_reply(self, message: dict[str, Any]) -> None:
        """One event from the application. Sends after the end of the connection go nowhere, quietly."""
        kind = message["type"]
        if self._deciding:
            self._handle_answer(kind, message)
        elif kind == "websocket.send":
            if self.state == self.STATE_OPEN:
                self._send(message)
        elif kind == "websocket.close":
            self._close(message.get("code") or 1000, message.get("reason") or "")
        elif self.state == self.STATE_OPEN:
            raise ValueError(f"Unexpected event {kind} on an open websocket.")

    def _handle_answer(self, kind: str, message: dict[str, Any]) -> None:
        if self._denial is not None:
            if kind != "websocket.http.response.body":
                raise ValueError(f"Unexpected event {kind} while refusing a handshake.")
            status, headers, body = self._denial
            self._denial = (status, headers, body + message.get("body", b""))
            if not message.get("more_body", False):
                self._refuse(*self._denial)
        elif kind == "websocket.accept":
            self._accept(message)
        elif kind == "websocket.close":
            self._refuse(403, [], b"")
        elif kind == "websocket.http.response.start":
            self._denial = (message["status"], list(message.get("headers") or ()), b"")
        else:
            raise ValueError(f"Unexpected event {kind} before the handshake is answered.")

    def _send(self, message: dict[str, Any]) -> None:
        text, payload = message.get("text"), message.get("bytes")
        if (text is None) == (payload is None):
            raise ValueError("websocket.send takes either text or bytes.")
        content = payload if text is None else text.encode()
        if self._perMessageCompress is not None:
            self.sendMessage(content, isBinary=text is None)
        else:
            self.sendFrame(opcode=2 if text is None else 1, payload=content)

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:
        # Autobahn formats a debug line for each write, wanted or not.
        self.transport.write(data)

    def _close(self, code: int, reason: str = "") -> None:
        if self.state != self.STATE_OPEN:
            return
        if code == 1006:
            self.wasNotCleanReason = "dropped by the application"
            self.dropConnection(abort=False)
            return
        # The peer's own Close frame has to be read.
        self._resume_reading(_APPLICATION_BUSY | _DRAINING)
        wire_code = wire_close_code(code)
        self.sendCloseFrame(
            code=wire_code,
            reasonUtf8=encode_truncate(reason, 123) if wire_code is not None else None,
        )

    def application_finished(self, failure: BaseException | None) -> None:
        """The application instance is gone; so must the connection be."""
        if self._deciding:
            self._refuse(500, [], b"")
        elif failure is not None:
            self._close(1011)
        else:
            self._close(1012 if self._not_reading & _DRAINING else 1000)

    def drain(self) -> None:
        """The server stops: take no further message and let the application finish what it has.

        The application sees `websocket.disconnect` with code 1012 while the connection still carries
        its replies; it is closed when the application returns.
        """
        if self._deciding:
            self._refuse(503, [(b"retry-after", b"5")], b"")
        elif self.state == self.STATE_OPEN and self.application_queue is not None:
            self._tell_disconnect(1012, "service restart")
            self._stop_reading(_DRAINING)

    # --- Back-pressure ----------------------------------------------------------------------------

    async def receive(self) -> dict[str, Any]:
        """ASGI's `receive`: the next event, in order."""
        event: dict[str, Any] = await self.application_queue.get()
        if self._not_reading and self.application_queue.qsize() <= _QUEUE_LOW:
            self._resume_reading(_APPLICATION_BUSY)
        return event

    async def drained(self) -> None:
        """Returns when the peer has taken what we wrote, at once unless it lags behind."""
        if self._writable is not None:
            await self._writable.wait()

    def pauseProducing(self) -> None:
        self._writable = self._writable or asyncio.Event()
        self._stop_reading(_PEER_NOT_READING)

    def resumeProducing(self) -> None:
        if self._writable is not None:
            self._writable.set()
            self._writable = None
        self._resume_reading(_PEER_NOT_READING)

    def stopProducing(self) -> None:
        """The transport is gone; connectionLost follows."""

    def _stop_reading(self, reason: int) -> None:
        if not self._not_reading:
            self.transport.pauseProducing()
        self._not_reading |= reason

    def _resume_reading(self, reasons: int) -> None:
        if self._not_reading:
            self._not_reading &= ~reasons
            if not self._not_reading:
                self.transport.resumeProducing()

    # --- Time -------------------------------------------------------------------------------------

    def check_timeouts(self) -> None:
        """Called by the server's clock: late answers to handshakes, pings, silent peers."""
        now = monotonic()
        if self._deciding:
            if now - self.opened_at > self.server.websocket_connect_timeout:
                self._refuse(503, [(b"retry-after", b"30")], b"")
        elif self.state == self.STATE_OPEN:
            if self._not_reading & (_APPLICATION_BUSY | _DRAINING):
                self.heard_at = now  # silence is of our making
                return
            interval = self.server.ping_interval
            if now - self.heard_at > 3 * interval - self.server.tick_s:
                self.wasNotCleanReason = "three pings without any sign of life"
                self.dropConnection(abort=True)
            elif now - max(self.heard_at, self.pinged_at) >= interval:
                self.pinged_at = now
                self.sendPing()


def _check_header(name: bytes, value: bytes) -> None:
    """Raises ValueError for anything that could break out of a header line."""
    if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
        raise ValueError(f"Invalid header {name!r}.")


def _accept_compression(offers: list[Any]) -> Any:
    """permessage-deflate without context kept between our messages: no memory per idle station."""
    for offer in offers:
        if isinstance(offer, PerMessageDeflateOffer):
            return PerMessageDeflateOfferAccept(
                offer,
                request_no_context_takeover=offer.accept_no_context_takeover,
                no_context_takeover=True,
            )
    return None


class WebSocketFactory(DaphneWebSocketFactory):
    """Makes WebSockets with the limits of the server's options."""

    protocol = WebSocket

    def __init__(self, server: Any, *, max_message_bytes: int, compression: bool) -> None:
        super().__init__(server, server="")
        self.setProtocolOptions(
            # Invalid UTF-8 is found when the complete message is decoded, which is far cheaper.
            utf8validateIncoming=False,
            allowNullOrigin=True,
            failByDrop=False,
            maxFramePayloadSize=max_message_bytes,
            maxMessagePayloadSize=max_message_bytes,
            # The server's own clock ends undecided handshakes (Autobahn's is up to a second early).
            openHandshakeTimeout=0,
            closeHandshakeTimeout=5,
            perMessageCompressionAccept=_accept_compression if compression else None,
        )
