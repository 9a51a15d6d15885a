"""A wire between stations and server that a test can break: eat a reply, cut, go dead, dawdle, double.

It forwards bytes and knows just enough of websockets to tell one frame of the server's from the next.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

_HEAD_END = b"\r\n\r\n"
_CHUNK = 65_536
_TEXT = 1


class FaultProxy:
    """Listens on a port of its own; `ocpp_url` is where stations connect.

    `delay_s` holds back everything that is forwarded, in both directions, as long as it is set.
    """

    def __init__(self, server_port: int) -> None:
        self.delay_s = 0.0
        self.dropped: list[str] = []
        self.accepted = 0
        self._server_port = server_port
        self._pipes: set[Pipe] = set()
        self._to_drop: list[Callable[[str], bool]] = []
        self._twins_wanted = 0
        self._listener: asyncio.Server | None = None

    @property
    def ocpp_url(self) -> str:
        assert self._listener is not None
        return f"ws://127.0.0.1:{self._listener.sockets[0].getsockname()[1]}/ocpp"

    async def start(self) -> None:
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1000)

    async def stop(self) -> None:
        """Close everything, dead connections too."""
        assert self._listener is not None
        self._listener.close()
        self.cut()
        while self._pipes:
            await asyncio.sleep(0.01)
        await self._listener.wait_closed()

    # What can go wrong

    def drop_reply(self, is_meant: Callable[[str], bool]) -> None:
        """Eat the next text message of the server's that is meant; it is kept in `dropped`."""
        self._to_drop.append(is_meant)

    def cut(self) -> None:
        """Reset every connection that is open now, at both ends."""
        for pipe in list(self._pipes):
            pipe.cut()

    def go_dead(self) -> int:
        """Forward nothing more over the connections that are open now, and close neither end whatever happens.

        The server sees what it sees when a station's power or radio is gone: a socket that is open and silent.
        New connections are served. Returns how many are dead now.
        """
        for pipe in self._pipes:
            pipe.dead = True
        return len(self._pipes)

    def twin_next(self) -> None:
        """Tell the server everything that comes over the next connection twice, over two connections.

        Both are open before either is told more than its handshake; the station hears the older one.
        """
        self._twins_wanted += 1

    # Work

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        pipe = Pipe(self, (reader, writer), twin=self._twins_wanted > 0)
        self._twins_wanted = max(0, self._twins_wanted - 1)
        self._pipes.add(pipe)
        try:
            await pipe.run(self._server_port)
        finally:
            self._pipes.discard(pipe)

    def must_drop(self, text: str) -> bool:
        for number, is_meant in enumerate(self._to_drop):
            if is_meant(text):
                del self._to_drop[number]
                self.dropped.append(text)
                return True
        return False


_Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Pipe:
    """One connection of a station's and its continuation to the server, or two of them."""

    def __init__(self, proxy: FaultProxy, station: _Ends, *, twin: bool) -> None:
        self.dead = False
        self._proxy = proxy
        self._station = station
        self._twin = twin
        self._servers: list[_Ends] = []
        self._cut = asyncio.Event()

    def cut(self) -> None:
        self.dead = False
        self._cut.set()
        for _, writer in (self._station, *self._servers):
            writer.transport.abort()

    async def run(self, port: int) -> None:
        """Until one end closes; a dead connection stays until it is cut."""
        try:
            for _ in range(1 + self._twin):
                self._servers.append(await asyncio.open_connection("127.0.0.1", port))
        except OSError:  # the server is not there: the station is refused as it would be without us
            self.cut()
            return
        head = await self._shake_hands()
        tasks = [asyncio.create_task(self._upwards()), asyncio.create_task(self._downwards(head))]
        tasks += [asyncio.create_task(self._drain(reader)) for reader, _ in self._servers[1:]]
        try:
            await asyncio.wait(tasks[:2], return_when=asyncio.FIRST_COMPLETED)
            if self.dead:
                await self._cut.wait()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self.cut()

    async def _shake_hands(self) -> bytes:
        """Each connection to the server is opened in turn, the newest last; returns what the station hears."""
        heard = b""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            request = await self._station[0].readuntil(_HEAD_END)
            for reader, writer in self._servers:
                writer.write(request)
                answer = await reader.readuntil(_HEAD_END)
                heard = heard or answer
        return heard

    async def _upwards(self) -> None:
        while chunk := await self._read(self._station[0]):
            await self._send(chunk, [writer for _, writer in self._servers])

    async def _downwards(self, head: bytes) -> None:
        reader, writer = self._servers[0][0], self._station[1]
        await self._send(head, [writer])
        if not head.startswith(b"HTTP/1.1 101"):
            while chunk := await self._read(reader):
                await self._send(chunk, [writer])
            return
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                frame, text = await _read_frame(reader)
                if text is None or not self._proxy.must_drop(text):
                    await self._send(frame, [writer])

    async def _drain(self, reader: asyncio.StreamReader) -> None:
        while await self._read(reader):
            pass

    async def _read(self, reader: asyncio.StreamReader) -> bytes:
        try:
            return await reader.read(_CHUNK)
        except OSError:
            return b""

    async def _send(self, data: bytes, writers: list[asyncio.StreamWriter]) -> None:
        if self._proxy.delay_s:
            await asyncio.sleep(self._proxy.delay_s)
        if self.dead:
            return
        for writer in writers:
            with contextlib.suppress(OSError):
                writer.write(data)
                await writer.drain()


async def _read_frame(reader: asyncio.StreamReader) -> tuple[bytes, str | None]:
    """A whole frame of a server's, which is never masked, and its text if it has one."""
    frame = await reader.readexactly(2)
    length = frame[1] & 0x7F
    if length >= 126:
        extended = await reader.readexactly(2 if length == 126 else 8)
        frame, length = frame + extended, int.from_bytes(extended)
    payload = await reader.readexactly(length)
    return frame + payload, payload.decode() if frame[0] & 0x0F == _TEXT else None


@asynccontextmanager
async def fault_proxy(server_port: int) -> AsyncIterator[FaultProxy]:
    """A proxy for the length of the block."""
    proxy = FaultProxy(server_port)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()
