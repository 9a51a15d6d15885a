"""The server: one process, one event loop, one application, from start-up to the last answer."""

import asyncio
import logging
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import unquote

import daphne.server
from twisted.internet import reactor
from twisted.logger import (
    FilteringLogObserver,
    LogLevel,
    LogLevelFilterPredicate,
    STDLibLogObserver,
    globalLogBeginner,
)
from twisted.protocols.tls import TLSMemoryBIOFactory

from cms.server.http import HTTPFactory
from cms.server.lifespan import Lifespan, StartupFailed
from cms.server.tls import TLSConnections, tls_extension
from cms.server.websocket import WebSocket, WebSocketFactory

logger = logging.getLogger("cms.server")

_BACKLOG = 2048
# Of an application that has no opinion.
MAX_BODY_BYTES = 64 * 1024 * 1024
# After the last application returned: time for Close frames to be answered.
_CLOSING_S = 2.0
_APPLICATION_CLOSE_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What an installation may choose; times in seconds. Port 0 takes a free port and logs it."""

    host: str = "127.0.0.1"
    port: int = 8000
    reuse_port: bool = False
    # Pairs of a file with certificate and chain, and one with its key.
    tls: tuple[tuple[Path, Path], ...] = ()
    client_ca: Path | None = None
    request_client_cert: bool = False
    lifespan: bool = True
    headers_timeout_s: float = 20.0
    connect_timeout_s: float = 20.0
    ping_interval_s: float = 20.0
    max_frame_bytes: int = 1024 * 1024
    graceful_timeout_s: float = 10.0
    compression: bool = False


class Server(daphne.server.Server):
    """Daphne's server with start-up, shutdown and a clock of its own.

    `connections` maps each protocol to `{"connected": time, "application_instance"?: task,
    "disconnected"?: time}` as in Daphne; an entry goes as soon as both ends are done.
    """

    def __init__(
        self,
        application: Callable[..., Any],
        options: Options,
        *,
        action_logger: Callable[..., None] | None = None,
    ) -> None:
        super().__init__(
            application,
            endpoints=[f"{options.host}:{options.port}"],
            signal_handlers=False,
            action_logger=action_logger,
            websocket_timeout=-1,
            websocket_connect_timeout=options.connect_timeout_s,
            ping_interval=options.ping_interval_s,
            server_name="",
        )
        self.options = options
        # Fine enough that a silent peer is gone within three intervals.
        self.tick_s = min(1.0, options.ping_interval_s / 8)
        self.draining = False
        self.exit_code = 0
        self.connections: dict[Any, dict[str, Any]] = {}
        self.lifespan = Lifespan(application, enabled=options.lifespan)
        self._limit_of = getattr(application, "body_limit", None)
        self._ports: list[Any] = []
        self._stop = asyncio.Event()
        self._all_gone = asyncio.Event()
        self._main: asyncio.Task[None] | None = None

    def run(self) -> int:
        """Serve until SIGTERM or SIGINT; the process's exit code."""
        self.loop = reactor._asyncioEventloop
        asyncio.set_event_loop(self.loop)
        errors_only = FilteringLogObserver(
            STDLibLogObserver("twisted"), [LogLevelFilterPredicate(LogLevel.error)]
        )
        globalLogBeginner.beginLoggingTo(
            [errors_only], redirectStandardIO=False, discardBuffer=True
        )
        self.http_factory = HTTPFactory(self, headers_timeout_s=self.options.headers_timeout_s)
        self.ws_factory = WebSocketFactory(
            self,
            max_message_bytes=self.options.max_frame_bytes,
            compression=self.options.compression,
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            self.loop.add_signal_handler(number, self._stop_requested)
        self._main = self.loop.create_task(self._serve_and_stop())
        reactor.run(installSignalHandlers=False)
        self._finish_loop()
        return self.exit_code

    async def _serve_and_stop(self) -> None:
        try:
            await self._serve()
        except asyncio.CancelledError:
            logger.warning("Stopped at once; work in hand was abandoned.")
            self.exit_code = 1
        except Exception:  # outermost loop of the process
            logger.exception("The server failed.")
            self.exit_code = 1
        finally:
            reactor.stop()

    async def _serve(self) -> None:
        # Bound first, so that an address in use shows before anything starts; connections are
        # refused until `listen`.
        with self._bind() as listener:
            factory = self._factory()
            try:
                await self.lifespan.startup()
            except StartupFailed as error:
                logger.critical("Start-up failed: %s", error, exc_info=error.__cause__)
                self.exit_code = 3
                return
            listener.listen(_BACKLOG)
            host, port = listener.getsockname()[:2]
            self._ports.append(reactor.adoptStreamPort(listener.fileno(), listener.family, factory))
        scheme = "https" if self.options.tls else "http"
        logger.info("Listening on %s://%s:%d", scheme, f"[{host}]" if ":" in host else host, port)
        self.loop.call_later(self.tick_s, self._tick)
        await self._stop.wait()
        await self._drain()
        await self.lifespan.shutdown(timeout_s=self.options.graceful_timeout_s)

    def _bind(self) -> socket.socket:
        family, _, _, _, address = socket.getaddrinfo(
            self.options.host.strip("[]"), self.options.port, type=socket.SOCK_STREAM
        )[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setblocking(False)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self.options.reuse_port:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(address)
        return listener

    def _factory(self) -> Any:
        options = self.options
        if not options.tls:
            return self.http_factory
        connections = TLSConnections(
            certificates=options.tls,
            client_ca=options.client_ca,
            request_client_certificate=options.request_client_cert,
        )
        return TLSMemoryBIOFactory(connections, False, self.http_factory)

    # --- Stopping ---------------------------------------------------------------------------

    def _stop_requested(self) -> None:
        if self._stop.is_set() and self._main is not None:
            self._main.cancel()  # asked twice: at once
        self._stop.set()

    async def _drain(self) -> None:
        """No new connections; finish what was received and answer it; close; all within bounds."""
        self.draining = True
        for port in self._ports:
            port.stopListening()
        for protocol in list(self.connections):
            if isinstance(protocol, WebSocket):
                protocol.drain()
        for channel in list(self.http_factory.channels):
            channel.close_when_idle()
        tasks = self._running_applications()
        logger.info("Stopping; %d application instances have work in hand.", len(tasks))
        if tasks:
            await asyncio.wait(tasks, timeout=self.options.graceful_timeout_s)
        late = self._running_applications()
        for task in late:
            task.cancel()
        if late:
            logger.warning("%d application instances did not finish in time.", len(late))
            await asyncio.wait(late, timeout=_CLOSING_S)
        if self.connections:
            try:
                await asyncio.wait_for(self._all_gone.wait(), _CLOSING_S)
            except TimeoutError:
                logger.info("%d connections did not close by themselves.", len(self.connections))

    def _running_applications(self) -> list[asyncio.Task[None]]:
        return [
            details["application_instance"]
            for details in self.connections.values()
            if "application_instance" in details
        ]

    def _finish_loop(self) -> None:
        """What asyncio.run does at its end, for the tasks the application left behind."""
        tasks = asyncio.all_tasks(self.loop)
        for task in tasks:
            task.cancel()
        self.loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.run_until_complete(self.loop.shutdown_default_executor())

    # --- Application instances --------------------------------------------------------------

    def create_application(
        self, protocol: Any, scope: dict[str, Any]
    ) -> asyncio.Queue[dict[str, Any]]:
        """Start the application for this connection; the queue it receives from."""
        queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        scope.setdefault("asgi", {"version": "3.0", "spec_version": "2.4"})
        scope["state"] = self.lifespan.state.copy()
        if scope["type"] == "http":
            tls = tls_extension(protocol.channel.transport)
            scope["extensions"] = {} if tls is None else {"tls": tls}
        task = self.loop.create_task(
            self.application(scope, protocol.receive, partial(self.handle_reply, protocol))
        )
        self.connections[protocol]["application_instance"] = task
        task.add_done_callback(partial(self._application_done, protocol))
        return queue

    def body_limit(self, target: bytes) -> int:
        """The most bytes of a body for this request target, as the application says; `MAX_BODY_BYTES` if it says nothing."""
        if self._limit_of is None:
            return MAX_BODY_BYTES
        path = unquote(target.partition(b"?")[0].decode("latin-1"))
        return int(self._limit_of(path))

    async def handle_reply(self, protocol: Any, message: dict[str, Any]) -> None:
        """ASGI's `send`: returns when the peer keeps up; after the connection's end it does nothing."""
        if not isinstance(protocol, WebSocket):
            await super().handle_reply(protocol, message)
            await protocol.drained()
            return
        details = self.connections.get(protocol)
        if details is not None and "disconnected" not in details:
            protocol.handle_reply(message)
            await protocol.drained()

    def _application_done(self, protocol: Any, task: asyncio.Task[None]) -> None:
        failure = None if task.cancelled() else task.exception()
        details = self.connections.get(protocol)
        gone = details is None or "disconnected" in details
        if failure is not None:
            logger.error("The application failed for %r.", protocol, exc_info=failure)
        if details is not None:
            details.pop("application_instance", None)
        if gone:
            self._forget(protocol)
        else:
            protocol.application_finished(failure)

    def protocol_disconnected(self, protocol: Any) -> None:
        details = self.connections.get(protocol)
        if details is None:
            return
        if "application_instance" in details:
            details.setdefault("disconnected", monotonic())
        else:
            self._forget(protocol)

    def _forget(self, protocol: Any) -> None:
        self.connections.pop(protocol, None)
        if self.draining and not self.connections:
            self._all_gone.set()

    def _tick(self) -> None:
        """Timeouts of each connection; applications that outlive their connection too long."""
        self.loop.call_later(self.tick_s, self._tick)
        now = monotonic()
        for protocol, details in list(self.connections.items()):
            disconnected = details.get("disconnected")
            if disconnected is None:
                self._check_timeouts(protocol)
            elif now - disconnected > _APPLICATION_CLOSE_S:
                task = details.get("application_instance")
                if task is not None and not task.cancelling():
                    logger.warning("The application outlived %r and was cancelled.", protocol)
                    task.cancel()

    def _check_timeouts(self, protocol: Any) -> None:
        try:
            protocol.check_timeouts()
        except Exception:  # one connection must not stop the clock of all others
            logger.exception("The clock failed for %r.", protocol)
