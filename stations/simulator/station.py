"""A virtual charging station: connection, boot, heartbeat, transaction queue.

Typical script::

    async with VirtualStation(url, "SIM-1") as station:
        await station.plug()
        await station.tap("CARD-1")
        await station.charge(energy_wh=5_000)
        await station.stop()
        await station.unplug()

Times that belong to the network (heartbeat, reconnect, retry, time-outs) are real seconds. Times that
belong to the car and the meter run `speed` times faster; timestamps never do, so a session at
speed 60 holds more energy than its duration allows.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from . import wire
from .background import Background
from .client import CallErrorReceived, CallTimeout, ConnectionLost, Link, SimulatorError
from .configuration import Configuration
from .curve import Vehicle
from .delivery import Delivery
from .journal import Journal
from .local_list import LocalList
from .memory import LocalTransaction, Memory, QueuedMessage
from .outlet import AC_22, Outlet, OutletSpec, ScenarioError
from .personalities import Personality, personality
from .reservations import Reservations
from .security import Security
from .smart_charging import SmartCharging
from .upkeep import Upkeep
from .uplink import Uplink
from .v16 import Dialect16

Note = Callable[[str, str], None]

__all__ = ["OutletSpec", "ScenarioError", "VirtualStation"]


def utc_now() -> datetime:
    return datetime.now(UTC)


class VirtualStation(Background):
    """One station on one websocket.

    `connectors` is a list of outlets (connector 1 first). `clock` is the true time; a personality may
    lie about it. `state_path` keeps queue, transactions and meters across processes. `note` hears
    about events a person would like to read: (identity, sentence). `secure_url` and `server_root` (PEM)
    are what it needs to rise to TLS.
    """

    def __init__(
        self,
        url: str,
        identity: str,
        *,
        password: str | bytes | None = None,
        protocol: str = "ocpp1.6",
        connectors: Sequence[OutletSpec] = (AC_22,),
        clock: Callable[[], datetime] = utc_now,
        personality: str | Personality = "honest",
        speed: float = 1.0,
        seed: int | str | None = None,
        journal: Journal | None = None,
        configuration: dict[str, str] | None = None,
        state_path: Path | None = None,
        note: Note | None = None,
        call_timeout_s: float = 30,
        reconnect_base_s: float = 1.0,
        reconnect_cap_s: float = 60.0,
        boot_retry_s: float = 10.0,
        secure_url: str | None = None,
        server_root: str | None = None,
    ) -> None:
        if protocol != Dialect16.subprotocol:
            raise ValueError(f"the virtual station does not speak {protocol} yet")
        super().__init__(identity)
        self.identity = identity
        self.rng = random.Random(f"{identity}/{seed}")  # noqa: S311 - behaviour, not secrets
        self.personality = _as_personality(personality)
        self.personality.rng = self.rng
        self.speed = speed
        self.journal = journal if journal is not None else Journal()
        self.memory = Memory(state_path)
        self.configuration = Configuration(len(connectors), configuration)
        self.dialect = Dialect16(
            self.personality, vendor="Magetsi", model="Virtual", serial=identity[-25:]
        )
        self.local_list = LocalList(self)
        self.reservations = Reservations(self)
        self.outlets = {
            number: Outlet(self, number, spec) for number, spec in enumerate(connectors, start=1)
        }
        self.security = Security(self, secure_url=secure_url, server_root=server_root)
        self.smart_charging = SmartCharging(self)
        self.upkeep = Upkeep(self)
        self.accepted = False
        self.registration: str | None = None
        self.operative = True
        self.sessions = 0
        self.energy_wh = 0.0
        self.authorization_cache: dict[str, str] = {}
        self.boot_requested = False
        self.delivery = Delivery(self)
        self.on_remote_start: Callable[[Outlet], None] | None = None
        if self.memory.authorization_key is not None:
            password = self.personality.password(self.memory.authorization_key)
        self.uplink = Uplink(
            self,
            url,
            password,
            call_timeout_s=call_timeout_s,
            backoff_s=(reconnect_base_s, reconnect_cap_s),
        )
        self._clock = clock
        self._note = note
        self._boot_retry_s = boot_retry_s
        self._message_number = 0
        self._residents_run = False
        self._resumed: Link | None = None
        self._station_status_reported = False

    # Life cycle

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.close()

    async def start(self, timeout_s: float = 30) -> None:
        """Connect, boot, stay connected; returns when first accepted."""
        self.power_on()
        await self.wait_until(lambda s: s.is_online, timeout_s)

    def power_on(self) -> None:
        """Like `start`, without waiting."""
        self.uplink.wanted.set()
        self.spawn(self.uplink.stay())

    async def close(self) -> None:
        """Switch the station off. Raises what failed in the background, if anything did."""
        await self.uplink.close()
        await self.cancel_all()
        self.memory.save()
        if self.failures:
            raise self.failures[0]

    # Conditions

    @property
    def is_connected(self) -> bool:
        return self.link is not None and not self.link.closed.is_set()

    @property
    def ready(self) -> bool:
        """Connected and accepted: facts may flow."""
        return self.is_connected and self.accepted

    @property
    def is_online(self) -> bool:
        """Ready, and every status is reported."""
        return self.ready and self._resumed is self.link

    def now(self) -> datetime:
        """The station's own clock, as wrong as its personality makes it."""
        return self.personality.clock(self._clock())

    def note(self, sentence: str) -> None:
        if self._note is not None:
            self._note(self.identity, sentence)

    # Connection

    @property
    def link(self) -> Link | None:
        return self.uplink.link

    async def connect(self) -> None:
        """Open the socket, once. `start` does this and keeps doing it.

        Raises:
            HandshakeRefused, OSError, TimeoutError.
        """
        await self.uplink.connect()
        if not self._residents_run:
            self._residents_run = True
            self.spawn(self.delivery.run())
            self.spawn(self._beat())

    async def go_offline(self) -> None:
        """Lose the network until `go_online`; the session at the plug goes on."""
        self.uplink.wanted.clear()
        self.uplink.drop()
        await self.wait_until(lambda s: not s.is_connected)

    async def go_online(self, timeout_s: float = 10) -> None:
        self.uplink.wanted.set()
        await self.wait_until(lambda s: s.is_online, timeout_s)

    async def set_authorization_key(self, value: str) -> None:
        """Use a new key from now on: reconnect with it."""
        self.memory.authorization_key = value
        self.memory.save()
        self.uplink.password = self.personality.password(value)
        if self.link is not None:
            await self.link.close()

    # Boot and presence

    async def boot(self) -> None:
        """Send BootNotification until accepted, then report every status (OCPP 1.6 §4.2)."""
        self.accepted = False
        self.memory.boots += 1
        self.memory.save()
        self._message_number = 0
        self.personality.on_power_up()
        while True:
            self.boot_requested = False
            result = await self.call(*self.dialect.boot(self.memory.firmware_version))
            self.registration = result["status"]
            self.note(f"boot {self.registration.lower()}")
            if self.registration == "Accepted":
                break
            await self._pause_before_boot(result.get("interval") or self._boot_retry_s)
        if result.get("interval"):
            self.configuration.set("HeartbeatInterval", str(result["interval"]))
        self.accepted = True
        self._station_status_reported = False
        for outlet in self.outlets.values():
            outlet.reported = None
        self._settle_power_loss()
        await self.resume()
        await self.personality.after_boot(self)

    async def _pause_before_boot(self, delay_s: float) -> None:
        """Wait for the interval, a TriggerMessage, or the end of the connection."""
        with contextlib.suppress(TimeoutError):
            await self.wait_until(lambda s: s.boot_requested or not s.is_connected, delay_s)

    def _settle_power_loss(self) -> None:
        """Transactions that ran when the power failed get their Stop now (OCPP 1.6 §4.10)."""
        at_work = {outlet.tx.key for outlet in self.outlets.values() if outlet.tx is not None}
        for tx in list(self.memory.transactions.values()):
            if tx.is_running and tx.key not in at_work:
                outlet = self.outlets[tx.connector_id]
                tx.stopped_at, tx.reason = self.now(), "PowerLoss"
                tx.meter_stop_wh = self.personality.stop_register_wh(outlet, tx)
                self.sessions += 1
                self.energy_wh += tx.drawn_wh
                outlet.queue_stop(tx)

    async def resume(self) -> None:
        """After connecting: report what changed meanwhile; the queue follows by itself."""
        self.changed()
        if not self._station_status_reported:
            await self.report_station_status()
        for outlet in self.outlets.values():
            if outlet.reported != (outlet.status, outlet.error_code):
                await self.report_status(outlet)
        self._resumed = self.link
        self.changed()
        self.note("online")

    async def report_station_status(self) -> None:
        """Connector 0 stands for the whole station."""
        status = "Available" if self.operative else "Unavailable"
        with contextlib.suppress(CallErrorReceived, CallTimeout):
            await self.call(*self.dialect.status(0, status, self.now()))
        self._station_status_reported = True

    async def set_operative(self, operative: bool) -> None:
        self.operative = operative
        await self.report_station_status()

    async def report_reading(self, outlet: Outlet) -> None:
        """Answer to a trigger: one reading, inside the transaction if there is one."""
        if outlet.tx is not None:
            outlet.advance()
            outlet.queue_reading(outlet.tx, "Trigger")
            return
        measurands = self.configuration.measurands("MeterValuesSampledData")
        value = self.dialect.sample(outlet, outlet.reading(), self.now(), "Trigger", measurands)
        await self.call(*self.dialect.meter_values(outlet.connector_id, [value]))

    async def report_status(self, outlet: Outlet) -> None:
        """Send the outlet's status; if that fails, `resume` will."""
        if not self.ready:
            return
        status, error_code = outlet.status, outlet.error_code
        message = self.dialect.status(outlet.connector_id, status, self.now(), error_code)
        try:
            await self.call(*message)
        except SimulatorError:
            return
        outlet.reported = (status, error_code)

    async def _beat(self) -> None:
        """Heartbeats, also right after the interval was changed."""
        while True:
            await self.wait_until(lambda s: s.ready, None)
            interval_s = self.configuration.integer("HeartbeatInterval") or 300
            with contextlib.suppress(TimeoutError):
                await self._interval_changed(interval_s)
                continue
            with contextlib.suppress(SimulatorError):
                if self.ready:
                    await self.call(*self.dialect.heartbeat())

    async def _interval_changed(self, interval_s: int) -> None:
        """Wait for another HeartbeatInterval, at most this one."""
        await self.wait_until(
            lambda s: s.configuration.integer("HeartbeatInterval") not in (0, interval_s),
            interval_s,
        )

    async def power_cycle(self, *, forget_transactions: bool = False) -> None:
        """Lose power and come back: sockets die, the queue survives, boot follows.

        Running transactions end with PowerLoss, unless the station simply forgets them.
        """
        for outlet in self.outlets.values():
            tx = outlet.take_off()
            if tx is not None and forget_transactions:
                self.memory.transactions.pop(tx.key, None)
            outlet.assign(outlet.resting_status())
        self.accepted = False
        self.memory.save()
        self.uplink.drop()
        self.changed()

    async def restart(self, reason: str) -> None:
        """Reset: end transactions properly, then reboot; faults are gone afterwards."""
        for outlet in self.outlets.values():
            if outlet.tx is not None:
                await outlet.end(reason)
        self.note(f"restarts ({reason})")
        if self.link is not None:
            await self.link.close()
        await self.power_cycle()

    # Calls

    async def call(
        self,
        action: str,
        payload: wire.Payload,
        message_id: str | None = None,
        *,
        key: str | None = None,
        copies: int = 1,
        exclusive: bool = True,
    ) -> wire.Payload:
        """Send one CALL as this personality writes it; return the answer's payload.

        Raises:
            CallErrorReceived, CallTimeout, ConnectionLost.
        """
        link = self.link
        if link is None:
            raise ConnectionLost("there is no connection")
        payload = self.personality.payload(action, payload)
        if message_id is None:
            self._message_number += 1
            message_id = self.personality.message_id(self._message_number)
        for junk in self.personality.frames_before(message_id, action, payload):
            await link.send(junk)
        return await link.call(
            message_id,
            action,
            payload,
            key=key or self.memory.next_key(self.identity, action),
            text=self.personality.text(message_id, action, payload),
            copies=copies,
            exclusive=exclusive,
        )

    async def send_raw(self, text: str, timeout_s: float = 5) -> str | None:
        """Send any text; the next message from the server, or None when none comes in time."""
        if self.link is None:
            raise ConnectionLost("there is no connection")
        return await self.link.send_raw(text, timeout_s)

    async def receive(self, call: wire.Call) -> None:
        """A CALL from the server: answer it beside the reader, so that answers keep flowing."""
        self.spawn(self._answer(call, self.link))

    async def _answer(self, call: wire.Call, link: Link | None) -> None:
        if link is None or not self.personality.answers_commands:
            return
        await self.personality.before_answer(self)
        handler = self.dialect.commands.get(call.action)
        follow_up: Callable[[], Coroutine[Any, Any, Any]] | None = None
        text = self.personality.answer_text(call)
        if text is None and handler is None:
            text = wire.encode_error(call.message_id, "NotImplemented", "unknown action")
        elif text is None and handler is not None:
            try:
                payload, follow_up = handler(self, call.payload)
                text = wire.encode_result(call.message_id, payload)
            except (KeyError, TypeError, ValueError) as exc:
                text = wire.encode_error(call.message_id, "FormationViolation", str(exc)[:255])
        await link.send(text or "")
        self.note(f"{call.action} received")
        if follow_up is not None:
            await follow_up()

    # Transaction queue

    def enqueue(self, tx: LocalTransaction, action: str, payload: wire.Payload) -> QueuedMessage:
        return self.delivery.enqueue(tx, action, payload)

    async def drained(self, timeout_s: float | None = 10) -> None:
        """Wait until nothing is left to deliver."""
        await self.wait_until(lambda s: not s.memory.queue, timeout_s)

    # What people do

    def outlet(self, connector_id: int = 1) -> Outlet:
        return self.outlets[connector_id]

    async def plug(self, connector_id: int = 1, vehicle: Vehicle | None = None) -> None:
        await self.outlets[connector_id].plug(vehicle)

    async def unplug(self, connector_id: int = 1) -> None:
        await self.outlets[connector_id].unplug()

    async def tap(self, id_tag: str, connector_id: int = 1) -> str:
        """Hold a card to the reader: start, or stop one's own session.

        Returns the tag's status, or `Reserved` where the outlet is kept for somebody else.
        """
        outlet = self.outlets[connector_id]
        if outlet.tx is not None and outlet.tx.id_tag.lower() == id_tag.lower():
            await outlet.end("Local", id_tag=id_tag)
            return "Accepted"
        if self.reservations.refuses(outlet, id_tag):
            return "Reserved"
        status = await self.authorize(id_tag)
        if status == "Accepted" and outlet.tx is None:
            await outlet.authorize(id_tag)
        return status

    async def authorize(self, id_tag: str) -> str:
        """Ask the central system, or decide alone while offline. Returns the tag's status."""
        if self.ready:
            try:
                result = await self.call(*self.dialect.authorize(id_tag))
            except (ConnectionLost, CallTimeout):
                return self._authorize_offline(id_tag)
            except CallErrorReceived:
                return "Invalid"
            status = self.dialect.id_tag_status(result) or "Invalid"
            self.authorization_cache[id_tag.lower()] = status
            return status
        return self._authorize_offline(id_tag)

    def _authorize_offline(self, id_tag: str) -> str:
        known = self.local_list.status_of(id_tag) or self.authorization_cache.get(id_tag.lower())
        if known is not None and self.configuration.flag("LocalAuthorizeOffline"):
            return known
        allowed = self.configuration.flag("AllowOfflineTxForUnknownId")
        return "Accepted" if allowed else "Invalid"

    async def charge(
        self,
        *,
        energy_wh: float | None = None,
        duration_s: float | None = None,
        connector_id: int = 1,
        timeout_s: float | None = 60,
    ) -> None:
        """Wait while energy flows: so much more, so long (station time, see `speed`), or until full.

        After `energy_wh` the car pauses exactly there (`Vehicle.wants_wh` is exact from the session's
        first moment). Returns early when the transaction ends.
        """
        outlet = self.outlets[connector_id]
        tx = outlet.tx
        if tx is None:
            raise ScenarioError(f"connector {connector_id} is not charging")
        if energy_wh is not None:
            outlet.advance()
            tx.target_wh = tx.drawn_wh + energy_wh
        if duration_s is None:
            await self.wait_until(lambda s: outlet.tx is not tx or outlet.wants_no_more, timeout_s)
            return
        loop = asyncio.get_running_loop()
        until = loop.time() + duration_s / self.speed
        await self.wait_until(lambda _: outlet.tx is not tx or loop.time() >= until, None)

    async def stop(self, connector_id: int = 1, reason: str = "Local") -> LocalTransaction:
        """End the session at the station, without a card."""
        return await self.outlets[connector_id].end(reason)


def _as_personality(value: str | Personality) -> Personality:
    return personality(value) if isinstance(value, str) else value
