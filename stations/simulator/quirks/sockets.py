"""Connections and commands: sockets that half die, stations that do not listen."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .. import wire
from ..client import SimulatorError
from ..memory import LocalTransaction
from ..personalities import Personality
from ..wire import Call

if TYPE_CHECKING:
    from ..client import Link
    from ..outlet import Outlet
    from ..station import VirtualStation


class NoSubprotocol(Personality):
    """Offers no websocket subprotocol."""

    name = "no_subprotocol"
    source = "steve#1109; lbbrhzn/ocpp#442 (Grizzl-E)"
    is_common = False  # needs "assume 1.6" at the server

    def subprotocols(self, own: str) -> Sequence[str] | None:
        return None


class Offers201Speaks16(Personality):
    """Negotiates ocpp2.0.1 and then sends 1.6 messages."""

    name = "offers_201_speaks_16"
    source = "lbbrhzn/ocpp#2008 (FoxESS)"
    is_common = False  # never gets accepted

    def subprotocols(self, own: str) -> Sequence[str] | None:
        return ("ocpp2.0.1",)


class HalfOpenThenNewSocket(Personality):
    """After the second reading of a session leaves its socket open, unread, and dials a new one."""

    name = "half_open_then_new_socket"
    source = "lorenzodonini/ocpp-go#314, #358; citrineos-core#583"

    async def after_sample(self, outlet: Outlet, tx: LocalTransaction) -> None:
        if tx.samples_taken == 2:
            outlet.station.uplink.abandon()


class Flapping(Personality):
    """Loses its connection twenty seconds after each boot and boots again."""

    name = "flapping"
    source = "ConnectorIO/connectorio-addons#211; lbbrhzn/ocpp#1275 (ABB boot loop)"
    after_s = 20.0

    async def while_connected(self, station: VirtualStation, link: Link) -> None:
        await asyncio.sleep(self.after_s)
        if not link.closed.is_set():
            station.accepted = False
            link.client.abort()


class NeverRedialsAfterClose(Personality):
    """Never dials again once the server has closed the socket with a Close frame."""

    name = "never_redials_after_close"
    source = "lbbrhzn/ocpp#1975 (JIGU)"
    is_common = False
    redials_after_close = False


class IgnoresPings(Personality):
    """Never answers websocket pings."""

    name = "ignores_pings"
    source = "mobilityhouse/ocpp#626"
    answers_pings = False


class DropsIdle(Personality):
    """Drops the socket when it has heard no message for 110 seconds."""

    name = "drops_idle"
    source = "lbbrhzn/ocpp#2030"
    idle_s = 110.0

    async def while_connected(self, station: VirtualStation, link: Link) -> None:
        loop = asyncio.get_running_loop()
        while (left_s := link.last_received_at + self.idle_s - loop.time()) > 0:
            await asyncio.sleep(left_s)
        link.client.abort()


class NeverAnswersCommands(Personality):
    """Answers no command on every other connection, though heartbeats and readings flow."""

    name = "never_answers_commands"
    source = "mobilityhouse/ocpp#338, #350, #626"

    def __init__(self) -> None:
        super().__init__()
        self.answers_commands = True

    def on_connected(self) -> None:
        self.answers_commands = not self.answers_commands


class ErrorDetailsString(Personality):
    """Answers commands with a CALLERROR whose errorDetails are a string of SQL."""

    name = "error_details_string"
    source = "steve#45"

    def answer_text(self, call: Call) -> str | None:
        return wire.encode_error(
            call.message_id, "InternalError", "", "select * from configuration where key = ?"
        )


class CallsBeforeAnswering(Personality):
    """Sends a call of its own, and waits for its answer, before it answers a command."""

    name = "calls_before_answering"
    source = "citrineos#178, #189; OCPP-J 1.6 §4.1.1 allows it"

    async def before_answer(self, station: VirtualStation) -> None:
        try:
            await station.call(*station.dialect.heartbeat())
        except SimulatorError:
            return


class LiteralHexKey(Personality):
    """Uses the hex digits of its AuthorizationKey as the password, instead of the bytes."""

    name = "literal_hex_key"
    source = "EVerest#2034; steve#1895, #1899"

    def password(self, key: str) -> bytes:
        return key.encode()
