"""A 1.6 station on a raw socket that holds every frame of the server to the published schemas.

The judge is the `jsonschema` package over the schema files of the `ocpp` package: none of the server's own code.
"""

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import count
from typing import Any

from jsonschema import FormatChecker
from jsonschema.protocols import Validator
from jsonschema.validators import validator_for

from stations.simulator.client import ConnectionLost, RawClient

# OCPP-J 1.6, Table 7, with the spelling of its errata.
ERROR_CODES = frozenset(
    {
        "NotImplemented",
        "NotSupported",
        "InternalError",
        "ProtocolError",
        "SecurityError",
        "FormationViolation",
        "PropertyConstraintViolation",
        "OccurenceConstraintViolation",
        "TypeConstraintViolation",
        "GenericError",
    }
)
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_formats = FormatChecker(formats=[])
_formats.checks("date-time")(
    lambda text: not isinstance(text, str) or bool(_RFC3339.fullmatch(text))
)

Payload = dict[str, Any]


@cache
def schema_of(message: str) -> dict[str, Any]:
    """The published schema of `Heartbeat` or `HeartbeatResponse`."""
    path = files("ocpp") / "v16" / "schemas" / f"{message}.json"
    schema: dict[str, Any] = json.loads(path.read_text(encoding="utf-8-sig"))
    return schema


@cache
def judge_of(message: str) -> Validator:
    schema = schema_of(message)
    return validator_for(schema)(schema, format_checker=_formats)


@cache
def _order_of(message: str) -> tuple[str, ...]:
    return tuple(schema_of(message).get("properties", {}))


def faults_of(message: str, payload: object) -> list[str]:
    """What the schema has against a payload the server sent, its key order included."""
    faults = [
        f"{message}{error.json_path}: {error.message}"
        for error in judge_of(message).iter_errors(payload)
    ]
    if isinstance(payload, Mapping):
        known = [name for name in _order_of(message) if name in payload]
        if [name for name in payload if name in known] != known:
            faults.append(f"{message}: keys not in the schema's order: {list(payload)}")
    return faults


@dataclass(frozen=True)
class Call:
    """A call of the server."""

    message_id: str
    action: str
    payload: Payload


class Refused(Exception):
    """Our call was answered with a CALLERROR."""

    def __init__(self, code: str, description: str, details: Payload) -> None:
        super().__init__(f"{code}: {description}")
        self.code = code
        self.description = description
        self.details = details


class WireStation:
    """One socket: sends what it is told; reads, judges and sorts what comes."""

    def __init__(self, client: RawClient) -> None:
        self.client = client
        self.calls: asyncio.Queue[Call] = asyncio.Queue()
        self.unasked: list[list[Any]] = []
        self.faults: list[str] = []
        self.answers = Counter[str]()
        self.lost = asyncio.Event()
        self._ids = count(1)
        self._waiting: dict[str, tuple[str, asyncio.Future[list[Any]]]] = {}
        self._reader = asyncio.create_task(self._read())

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, identity: str, **options: Any) -> AsyncIterator["WireStation"]:
        """The socket inside the block. At its end, nothing the server sent may have been at fault."""
        station = cls(await RawClient.open(url, identity, **options))
        try:
            yield station
        finally:
            await station.close()
        assert station.faults == []

    async def close(self) -> None:
        await self.client.close()
        await self._reader

    # --- what comes -------------------------------------------------------------------------

    async def _read(self) -> None:
        try:
            while True:
                self._take(await self.client.receive())
        except ConnectionLost as error:
            for _, future in self._waiting.values():
                if not future.done():
                    future.set_exception(error)
                    future.exception()
        finally:
            self.lost.set()

    def _take(self, text: str) -> None:
        frame = json.loads(text)
        if json.dumps(frame, separators=(",", ":"), ensure_ascii=False) != text:
            self.faults.append(f"not compact: {text[:200]}")
        if frame[0] == 2:
            self._take_call(frame)
            return
        self.answers[frame[1]] += 1
        action, future = self._waiting.pop(frame[1], ("", None))
        if frame[0] == 3 and action:
            self.faults += faults_of(f"{action}Response", frame[2])
        elif frame[0] == 4:
            self.faults += _faults_of_error(frame)
        if future is None:
            self.unasked.append(frame)
        elif not future.done():
            future.set_result(frame)

    def _take_call(self, frame: list[Any]) -> None:
        _, message_id, action, payload = frame
        if not (isinstance(message_id, str) and 0 < len(message_id) <= 36):
            self.faults.append(f"message id {message_id!r}")
        self.faults += faults_of(action, payload)
        self.calls.put_nowait(Call(message_id, action, payload))

    # --- what we send -----------------------------------------------------------------------

    async def exchange(
        self, text: str, message_id: str, action: str = "", timeout_s: float = 20
    ) -> list[Any]:
        """Send a frame word for word; return the frame that answers `message_id`."""
        future: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self._waiting[message_id] = (action, future)
        await self.client.send(text)
        async with asyncio.timeout(timeout_s):
            return await future

    def next_id(self) -> str:
        return f"m{next(self._ids)}"

    async def call(
        self, action: str, payload: object = None, message_id: str | None = None
    ) -> Payload:
        """The result of a call.

        Raises:
            Refused: it was answered with a CALLERROR.
        """
        message_id = message_id or self.next_id()
        text = json.dumps([2, message_id, action, {} if payload is None else payload])
        frame = await self.exchange(text, message_id, action)
        if frame[0] == 4:
            raise Refused(*frame[2:])
        result: Payload = frame[2]
        return result

    async def expect(self, action: str, timeout_s: float = 10) -> Call:
        """The server's next call, which must be of this action."""
        async with asyncio.timeout(timeout_s):
            call = await self.calls.get()
        assert call.action == action, call
        return call

    async def answer(self, call: Call, payload: Payload) -> None:
        """Answer a call of the server, with what the schema allows a station to say."""
        assert not list(judge_of(f"{call.action}Response").iter_errors(payload))
        await self.client.send(json.dumps([3, call.message_id, payload]))

    async def take(self, action: str, answer: Payload | None = None) -> Payload:
        """Expect a call and answer it, Accepted unless told; returns its payload."""
        call = await self.expect(action)
        await self.answer(call, {"status": "Accepted"} if answer is None else answer)
        return call.payload

    # --- a station's ordinary sentences -------------------------------------------------------

    async def boot(self, **fields: Any) -> Payload:
        return await self.call(
            "BootNotification",
            {"chargePointVendor": "Acme", "chargePointModel": "Wallbox", **fields},
        )

    async def status(
        self, connector_id: int, status: str, error_code: str = "NoError", **fields: Any
    ) -> None:
        await self.call(
            "StatusNotification",
            {"connectorId": connector_id, "status": status, "errorCode": error_code, **fields},
        )

    async def authorize(self, id_tag: str) -> str:
        """The status of the tag."""
        info: Payload = (await self.call("Authorize", {"idTag": id_tag}))["idTagInfo"]
        return str(info["status"])

    async def is_heard(self) -> bool:
        return "currentTime" in await self.call("Heartbeat")


def _faults_of_error(frame: list[Any]) -> list[str]:
    """OCPP-J 1.6 §4.2.3: five elements, a code of the table, a description, an object; nothing of our insides."""
    faults = []
    if len(frame) != 5:
        return [f"a CALLERROR of {len(frame)} elements"]
    _, message_id, code, description, details = frame
    if not (isinstance(message_id, str) and 0 < len(message_id) <= 36):
        faults.append(f"a CALLERROR for message id {str(message_id)[:60]!r}")
    if code not in ERROR_CODES:
        faults.append(f"error code {code!r}")
    if not (isinstance(description, str) and len(description) <= 255):
        faults.append(f"error description {description!r}")
    if not isinstance(details, dict):
        faults.append(f"error details {details!r}")
    insides = f"{description} {details}"
    if re.search(r"Traceback|psycopg|SELECT |INSERT |stations_|\.py\b", insides):
        faults.append(f"our insides in a CALLERROR: {insides[:200]}")
    return faults
