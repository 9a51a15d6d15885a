"""Getting online and staying there: dial, back off, dial again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from .client import HandshakeRefused, Link, RawClient, SimulatorError

if TYPE_CHECKING:
    from .station import VirtualStation


class Uplink:
    """The one current connection of a station, and those it left half-open.

    `backoff_s` is (first, longest) pause before dialling again; each is stretched by 0.5 to 1.5 at
    random, so that a fleet does not return all at once.
    """

    def __init__(
        self,
        station: VirtualStation,
        url: str,
        password: str | bytes | None,
        *,
        call_timeout_s: float,
        backoff_s: tuple[float, float],
    ) -> None:
        self.link: Link | None = None
        self.password = password
        self.wanted = asyncio.Event()
        self._station = station
        self._url = url
        self._call_timeout_s = call_timeout_s
        self._backoff_s = backoff_s
        self._abandoned: list[Link] = []

    async def connect(self) -> None:
        """Open the socket, once.

        Raises:
            HandshakeRefused, OSError, TimeoutError.
        """
        station = self._station
        character = station.personality
        offered = character.subprotocols(station.dialect.subprotocol)
        url = station.security.address(self._url)
        client = await RawClient.open(
            url,
            station.identity,
            password=station.security.password(self.password),
            tls=station.security.context(url),
            subprotocols=offered,
            answer_pings=character.answers_pings,
        )
        if offered and client.subprotocol is None:
            await client.close(1002)
            raise HandshakeRefused(None, {}, b"", "the server chose no subprotocol")
        link = Link(
            client,
            station.identity,
            station.journal,
            station.receive,
            on_progress=station.changed,
            call_timeout_s=self._call_timeout_s,
        )
        self.link = link
        character.on_connected()
        station.spawn(self._read(link))
        station.spawn(character.while_connected(station, link))
        station.changed()

    async def _read(self, link: Link) -> None:
        await link.read()
        self._station.changed()

    async def stay(self) -> None:
        """Keep the station connected and booted while `wanted` is set."""
        station = self._station
        failures = 0
        while True:
            await self.wanted.wait()
            try:
                await station.connect()
                await (station.resume() if station.accepted else station.boot())
                failures = 0
                link = self.link
                if link is not None:
                    await link.closed.wait()
                    self._after_close(link)
            except (SimulatorError, OSError, TimeoutError) as exc:
                station.note(f"cannot stay connected: {exc}")
                self.drop()
            first_s, longest_s = self._backoff_s
            delay_s = min(longest_s, first_s * 2 ** min(failures, 16))
            failures += 1
            await asyncio.sleep(delay_s * station.rng.uniform(0.5, 1.5))

    def _after_close(self, link: Link) -> None:
        if link.abandoned or not self.wanted.is_set():
            return
        self._station.note("connection lost")
        if link.client.closed_by_server and not self._station.personality.redials_after_close:
            self.wanted.clear()

    def drop(self) -> None:
        """Cut the socket without a Close frame, as a broken cable does."""
        if self.link is not None:
            self.link.client.abort()

    def abandon(self) -> None:
        """Leave the socket open and unread, and dial anew: the server sees it half-open."""
        if self.link is not None:
            link, self.link = self.link, None
            link.abandon()
            self._abandoned.append(link)
            self._station.changed()

    async def close(self) -> None:
        self.wanted.clear()
        for link in self._abandoned:
            link.client.abort()
        if self.link is not None:
            await self.link.client.close()
