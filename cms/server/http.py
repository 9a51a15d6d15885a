"""HTTP connections: a deadline for headers, bounds for bodies, and the hand-over of a websocket handshake."""

import asyncio
import re
from io import BytesIO
from typing import Any
from urllib.parse import unquote

from daphne.http_protocol import HTTPFactory as DaphneHTTPFactory
from daphne.http_protocol import WebRequest
from daphne.utils import HEADER_NAME_RE, INVALID_HEADER_VALUE_BYTES
from twisted.protocols.policies import ProtocolWrapper
from twisted.web import http

from cms.server.tls import tls_extension

_ABORT_AFTER_S = 2
_PIECE_BYTES = 64 * 1024
# What the websocket implementation needs to see of a handshake; everything else goes to the application only.
_HANDSHAKE_HEADERS = (
    b"Upgrade",
    b"Connection",
    b"Sec-WebSocket-Version",
    b"Sec-WebSocket-Key",
    b"Sec-WebSocket-Extensions",
)
_TOKEN_LIST = re.compile(rb"[\t\x20-\x7e]*")


class Channel(http.HTTPChannel):
    """One connection that still speaks HTTP.

    Twisted's own timeout starts again with every byte; a client that sends one header byte a minute
    would stay for ever. Here the request line and headers of each request have one deadline. Neither
    bodies nor answers are limited by it.
    """

    _deadline: Any = None
    _abortingCall: Any = None

    def connectionMade(self) -> None:
        super().connectionMade()
        self.factory.channels.add(self)
        self._start_deadline()

    def dataReceived(self, data: bytes) -> None:
        if self._deadline is None and self.line_mode:
            self._start_deadline()
        super().dataReceived(data)

    def allHeadersReceived(self) -> None:
        self._stop_deadline()
        super().allHeadersReceived()

    def connectionLost(self, reason: Any) -> None:
        self._stop_deadline()
        self.factory.channels.discard(self)
        super().connectionLost(reason)

    def _start_deadline(self) -> None:
        self._deadline = self.callLater(self.factory.headers_timeout_s, self._headers_late)

    def _stop_deadline(self) -> None:
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        self._deadline = None

    def _headers_late(self) -> None:
        self._deadline = None
        if not self.requests:
            # Not one line yet, perhaps not even a finished TLS handshake: nothing to answer.
            self.transport.abortConnection()
            return
        self.transport.write(
            b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        )
        self.loseConnection()
        if self._abortingCall is None:
            self._abortingCall = self.callLater(_ABORT_AFTER_S, self.forceAbortClient)

    def refuse_body(self) -> None:
        """Say that the body is too large.

        What still comes is thrown away for a moment: a connection that is closed on a client that is sending takes the
        answer with it.
        """
        self.transport.write(
            b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        )
        self.persistent = False
        if self._abortingCall is None:
            self._abortingCall = self.callLater(_ABORT_AFTER_S, self.forceAbortClient)

    def close_when_idle(self) -> None:
        """Close now if no request is under way, otherwise after its answer."""
        if self.requests and not self._deadline:
            self.persistent = False
        else:
            self.loseConnection()

    def hand_over(self, protocol: Any) -> None:
        """From here on the transport belongs to the websocket; this channel is forgotten."""
        self._stop_deadline()
        self.setTimeout(None)
        self.factory.channels.discard(self)
        transport = self.transport
        transport.unregisterProducer()
        if isinstance(transport, ProtocolWrapper):  # TLS wraps the protocol
            transport.wrappedProtocol = protocol
        else:
            transport.protocol = protocol
        # Bytes that came behind the handshake in the same read.
        self.rawDataReceived = protocol.dataReceived
        protocol.makeConnection(transport)


class Request(WebRequest):
    """Daphne's request, with the websocket hand-over made here.

    Daphne lets Autobahn parse the request a second time, which loses `;parameters` of the path, reads
    `//host` as an address, joins repeated headers and cuts values at Unicode line ends. We build the
    scope from the request as it arrived and give Autobahn a bare handshake.
    """

    content: Any
    _body: Any = None
    _body_bytes = 0
    _body_limit = 0
    _refused = False
    _read_whole = False
    _flow: "_Flow | None" = None

    # --- Bodies -----------------------------------------------------------------------------

    def gotLength(self, length: int | None) -> None:
        """The headers are there, the body is not yet: refuse one that is too large before any of it is kept."""
        super().gotLength(length)
        # Twisted tells a request its target only once it is whole.
        self._body_limit = self.server.body_limit(self.channel._path)
        if length is not None and length > self._body_limit:
            self._refuse_body()

    def handleContentChunk(self, data: bytes) -> None:
        """Twisted collects the body, in memory at first and then in a temporary file."""
        if self._refused:
            return
        self._body_bytes += len(data)
        if self._body_bytes > self._body_limit:
            self._refuse_body()
        else:
            super().handleContentChunk(data)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """It is whole. Twisted would now read a form into memory for `args`, which nobody looks at."""
        self._body, self.content = self.content, BytesIO()
        self._body.seek(0)
        super().requestReceived(command, path, version)

    def _refuse_body(self) -> None:
        self._refused = True
        self.channel.refuse_body()

    async def receive(self) -> dict[str, Any]:
        """ASGI's `receive`: the body piece by piece from where it lies, then the end of the connection.

        Daphne would put all of it into memory first.
        """
        # Pieces are at hand; others want their turn, and the peer may leave.
        await asyncio.sleep(0)
        if self._read_whole or self._body is None or self._body.closed:
            while (message := await self.application_queue.get())["type"] == "http.request":
                pass
            return dict(message)
        piece = self._body.read(_PIECE_BYTES)
        self._read_whole = len(piece) < _PIECE_BYTES
        return {"type": "http.request", "body": piece, "more_body": not self._read_whole}

    async def drained(self) -> None:
        """Until the peer has taken enough of the answer for more of it to be made."""
        if self._flow is not None:
            await self._flow.open.wait()

    def finish(self) -> None:
        self._end_flow()
        super().finish()

    def connectionLost(self, reason: Any) -> None:
        self._end_flow(lost=True)
        super().connectionLost(reason)

    def _end_flow(self, *, lost: bool = False) -> None:
        if self._flow is not None:
            self._flow.open.set()
            self._flow = None
            if not lost:
                self.unregisterProducer()
        if self._body is not None:
            self._body.close()

    # --- What is asked for ------------------------------------------------------------------

    def process(self) -> Any:
        if self._refused:
            self.channel.loseConnection()
            return None
        # Daphne would let any client choose ASGI's root_path with this header.
        self.requestHeaders.removeHeader(b"daphne-root-path")
        if not self._wants_websocket():
            self._flow = _Flow()
            self.registerProducer(self._flow, True)
            return super().process()
        problem = self._handshake_problem()
        if problem is not None:
            self.basic_error(400, b"Bad Request", problem)
        elif self.server.draining:
            self.basic_error(503, b"Service Unavailable", "Shutting down")
        else:
            self._open_websocket()
        return None

    def _wants_websocket(self) -> bool:
        values = self.requestHeaders.getRawHeaders(b"Upgrade", [])
        return any(
            token.strip().lower() == b"websocket" for value in values for token in value.split(b",")
        )

    def _handshake_problem(self) -> str | None:
        if self.method != b"GET" or self.clientproto != b"HTTP/1.1":
            return "A websocket handshake is a GET of HTTP/1.1"
        if not self.uri.startswith(b"/") or not self.uri.isascii():
            return "Invalid characters in path"
        for name, values in self.requestHeaders.getAllRawHeaders():
            if not HEADER_NAME_RE.fullmatch(name):
                return "Invalid header name"
            if any(INVALID_HEADER_VALUE_BYTES.intersection(value) for value in values):
                return "Invalid header value"
        for name in (*_HANDSHAKE_HEADERS, b"Sec-WebSocket-Protocol"):
            for value in self.requestHeaders.getRawHeaders(name, []):
                if not _TOKEN_LIST.fullmatch(value):
                    return "Invalid header value"
        return None

    def _subprotocols(self) -> list[str]:
        """As offered, in the client's order, without repetitions."""
        offered = (
            token.strip().decode("ascii")
            for value in self.requestHeaders.getRawHeaders(b"Sec-WebSocket-Protocol", [])
            for token in value.split(b",")
        )
        return list(dict.fromkeys(token for token in offered if token))

    def _open_websocket(self) -> None:
        transport = self.channel.transport
        peer, host = transport.getPeer(), transport.getHost()
        raw_path, _, query_string = self.uri.partition(b"?")
        subprotocols = self._subprotocols()
        tls = tls_extension(transport)
        scope: dict[str, Any] = {
            "type": "websocket",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "scheme": "ws" if tls is None else "wss",
            "path": unquote(raw_path.decode("ascii")),
            "raw_path": raw_path,
            "query_string": query_string,
            "root_path": self.server.root_path,
            # Names with an underscore could pass for others behind WSGI-like gateways (CVE-2015-0219).
            "headers": [
                (name.lower(), value)
                for name, values in self.requestHeaders.getAllRawHeaders()
                if b"_" not in name
                for value in values
            ],
            "client": (str(peer.host), peer.port) if hasattr(peer, "port") else None,
            "server": (str(host.host), host.port) if hasattr(host, "port") else None,
            "subprotocols": subprotocols,
            "extensions": {"websocket.http.response": {}},
        }
        if tls is not None:
            scope["extensions"]["tls"] = tls
        lines = [b"GET / HTTP/1.1", b"Host: localhost"]
        for name in _HANDSHAKE_HEADERS:
            values = self.requestHeaders.getRawHeaders(name)
            if values:
                lines.append(name + b": " + b", ".join(values))
        if subprotocols:
            lines.append(b"Sec-WebSocket-Protocol: " + ", ".join(subprotocols).encode("ascii"))
        protocol = self.server.ws_factory.buildProtocol(peer)
        protocol.scope = scope
        self.server.protocol_disconnected(self)
        self.channel.hand_over(protocol)
        protocol.dataReceived(b"\r\n".join(lines) + b"\r\n\r\n")

    def application_finished(self, failure: BaseException | None) -> None:
        """The application is done and the answer is not: say so, or cut a half-sent one off."""
        if self.finished or self.channel is None:
            return
        if not self._response_started:
            self.basic_error(500, b"Internal Server Error", "The application gave no answer.")
        else:
            self.channel.transport.abortConnection()


class _Flow:
    """Twisted's word on whether the transport wants more; an `IPushProducer` that only listens."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()

    def pauseProducing(self) -> None:
        self.open.clear()

    def resumeProducing(self) -> None:
        self.open.set()

    def stopProducing(self) -> None:
        self.open.set()


class HTTPFactory(DaphneHTTPFactory):
    """Makes Channels; `channels` are those that still speak HTTP."""

    def __init__(self, server: Any, *, headers_timeout_s: float) -> None:
        super().__init__(server)
        self.headers_timeout_s = headers_timeout_s
        self.channels: set[Channel] = set()

    def buildProtocol(self, addr: Any) -> Channel:
        channel = Channel()
        channel.factory = self
        channel.site = self
        channel.timeOut = self.timeOut
        channel.requestFactory = Request
        return channel
