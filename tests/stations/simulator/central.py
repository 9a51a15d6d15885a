"""A tiny scripted central system on loopback. It knows nothing of Magetsi's server code."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

SILENT = object()
Answer = Callable[[dict[str, Any]], Any]


@dataclass(frozen=True)
class Seen:
    """One CALL as it arrived."""

    connection: ServerConnection
    text: str
    message_id: str
    action: str
    payload: Any


class Central:
    """Answers every CALL; `answers[action]` overrides: payload → dict, SILENT or an error tuple."""

    def __init__(self) -> None:
        self.url = ""
        self.seen: list[Seen] = []
        self.broken: list[str] = []
        self.replies: list[Any] = []
        self.connections: list[ServerConnection] = []
        self.authorizations: list[str | None] = []
        self.offers: list[str | None] = []
        self.answers: dict[str, Answer] = {}
        self.refuse_with: HTTPStatus | None = None
        self.subprotocols: list[str] | None = ["ocpp1.6"]
        self.pongs = True
        self._ids = itertools.count(1)
        self._commands = itertools.count(1)
        self._transactions = itertools.count(71)
        self._changed = asyncio.Condition()
        self._server: Server | None = None

    async def __aenter__(self) -> Central:
        self._server = await serve(
            self._serve,
            "127.0.0.1",
            0,
            process_request=self._admit,
            select_subprotocol=self._select,
            ping_interval=None,
            close_timeout=1,
        )
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"ws://127.0.0.1:{port}/ocpp"
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._server is not None
        for connection in self.connections:
            connection.transport.abort()
        self._server.close()
        async with asyncio.timeout(5):
            await self._server.wait_closed()

    async def _admit(self, connection: ServerConnection, request: Any) -> Any:
        self.authorizations.append(request.headers.get("Authorization"))
        self.offers.append(request.headers.get("Sec-WebSocket-Protocol"))
        await self._notify()
        if self.refuse_with is not None:
            return connection.respond(self.refuse_with, "no\n")
        return None

    def _select(self, connection: ServerConnection, offered: Any) -> Any:
        return next((name for name in offered if name in (self.subprotocols or ())), None)

    async def _serve(self, connection: ServerConnection) -> None:
        self.connections.append(connection)
        await self._notify()
        try:
            async for text in connection:
                await self._take(connection, str(text))
        except ConnectionClosed:
            pass

    async def _take(self, connection: ServerConnection, text: str) -> None:
        try:
            frame = json.loads(text)
        except ValueError:
            self.broken.append(text)
            await self._notify()
            return
        if frame[0] != 2:
            self.replies.append(frame)
            await self._notify()
            return
        _, message_id, action, payload = frame
        answer = self.answers.get(action, getattr(self, f"_answer_{action}", lambda payload: {}))
        value = answer(payload or {})
        if asyncio.iscoroutine(value):
            value = await value
        self.seen.append(Seen(connection, text, message_id, action, payload))
        if isinstance(value, tuple):
            await connection.send(json.dumps([4, message_id, *value, {}]))
        elif value is not SILENT:
            await connection.send(json.dumps([3, message_id, value]))
        await self._notify()

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    @staticmethod
    def _answer_BootNotification(payload: Any) -> Any:
        return {"status": "Accepted", "currentTime": "2026-01-01T00:00:00Z", "interval": 300}

    @staticmethod
    def _answer_Heartbeat(payload: Any) -> Any:
        return {"currentTime": "2026-01-01T00:00:00Z"}

    @staticmethod
    def _answer_Authorize(payload: Any) -> Any:
        return {"idTagInfo": {"status": "Accepted"}}

    def _answer_StartTransaction(self, payload: Any) -> Any:
        return {"transactionId": next(self._transactions), "idTagInfo": {"status": "Accepted"}}

    # What tests ask and do

    def of(self, action: str) -> list[Seen]:
        return [seen for seen in self.seen if seen.action == action]

    def payloads(self, action: str) -> list[Any]:
        return [seen.payload for seen in self.of(action)]

    @property
    def actions(self) -> list[str]:
        return [seen.action for seen in self.seen]

    def statuses(self, connector_id: int) -> list[str]:
        sent = self.payloads("StatusNotification")
        return [p["status"] for p in sent if p["connectorId"] == connector_id]

    async def wait_for(self, condition: Callable[[], Any], timeout_s: float = 10) -> None:
        async with asyncio.timeout(timeout_s), self._changed:
            await self._changed.wait_for(condition)

    async def send_command(
        self, action: str, payload: Any, connection: ServerConnection | None = None
    ) -> str:
        message_id = f"c{next(self._commands)}"
        await (connection or self.connections[-1]).send(
            json.dumps([2, message_id, action, payload])
        )
        return message_id

    async def command(self, action: str, payload: Any) -> Any:
        """Send a command on the newest connection and return the answer frame."""
        message_id = await self.send_command(action, payload)
        await self.wait_for(lambda: any(reply[1] == message_id for reply in self.replies))
        return next(reply for reply in self.replies if reply[1] == message_id)

    async def result(self, action: str, payload: Any) -> Any:
        frame = await self.command(action, payload)
        assert frame[0] == 3, frame
        return frame[2]
