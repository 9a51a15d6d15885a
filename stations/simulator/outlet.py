"""One connector: cable, car, meter and the transaction that runs on it."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .curve import Charge, Current, Reading, Vehicle
from .memory import LocalTransaction, QueuedMessage

if TYPE_CHECKING:
    from .station import VirtualStation

# Seconds between two steps of the charging process, real time.
LONGEST_STEP_S = 1.0
SHORTEST_STEP_S = 0.005


class ScenarioError(Exception):
    """The script asks for something a person at the station could not do."""


@dataclass(frozen=True)
class OutletSpec:
    """What is bolted to the wall."""

    current: Current = Current.AC
    max_power_w: float = 22_000
    phases: int = 3
    register_wh: float = 0.0


AC_22 = OutletSpec()
AC_11 = OutletSpec(max_power_w=11_000)
DC_50 = OutletSpec(Current.DC, 50_000)
DC_150 = OutletSpec(Current.DC, 150_000)


class Outlet:
    """`register_wh` is the lifetime meter. `status` is the 1.6 status, whether reported or not."""

    def __init__(self, station: VirtualStation, connector_id: int, spec: OutletSpec) -> None:
        self.station = station
        self.connector_id = connector_id
        self.spec = spec
        memory = station.memory
        self.register_wh = memory.registers_wh.setdefault(connector_id, spec.register_wh)
        self.operative = connector_id not in memory.unavailable
        self.status = "Available" if self.operative else "Unavailable"
        self.error_code = "NoError"
        self.reported: tuple[str, str] | None = None
        self.vehicle: Vehicle | None = None
        self.tx: LocalTransaction | None = None
        self.charge: Charge | None = None
        self.authorized: str | None = None
        self.authorized_at = 0.0
        self.power_w = 0.0
        self._advanced_at = 0.0
        self._loop: asyncio.Task[None] | None = None

    @property
    def is_plugged(self) -> bool:
        return self.vehicle is not None

    @property
    def is_free(self) -> bool:
        """Whether a session could start; reservations aside."""
        ready = ("Available", "Preparing", "Finishing", "Reserved")
        return self.status in ready and self.tx is None

    # What people do

    async def plug(self, vehicle: Vehicle | None = None) -> None:
        if self.is_plugged:
            raise ScenarioError(f"connector {self.connector_id} already holds a plug")
        self.vehicle = vehicle or Vehicle()
        if self.status in ("Available", "Reserved"):
            await self.set_status("Preparing")
        id_tag, self.authorized = self.authorized, None
        timeout_s = self.station.configuration.integer("ConnectionTimeOut")
        now = asyncio.get_running_loop().time()
        if id_tag is None or now - self.authorized_at > timeout_s or not self.is_free:
            return
        if not self.station.reservations.refuses(self, id_tag):
            await self.begin(id_tag)

    async def unplug(self) -> None:
        if not self.is_plugged:
            raise ScenarioError(f"connector {self.connector_id} holds no plug")
        if self.tx is not None:
            await self.end("EVDisconnected", unplugged=True)
        self.vehicle = None
        if self.status not in ("Available", "Faulted", "Unavailable"):
            await self.set_status("Available")

    async def authorize(self, id_tag: str) -> None:
        """The tag was accepted: start if a car is there, else wait for it."""
        if self.is_plugged and self.is_free:
            await self.begin(id_tag)
        else:
            self.authorized = id_tag
            self.authorized_at = asyncio.get_running_loop().time()

    async def fault(self, error_code: str) -> None:
        if self.tx is not None:
            await self.end("Other")
        await self.set_status("Faulted", error_code)

    async def clear_fault(self) -> None:
        await self.set_status(self.resting_status())

    async def set_operative(self, operative: bool) -> None:
        self.operative = operative
        memory = self.station.memory
        (memory.unavailable.discard if operative else memory.unavailable.add)(self.connector_id)
        memory.save()
        if self.tx is None:
            await self.set_status(self.resting_status())

    def resting_status(self) -> str:
        if not self.operative:
            return "Unavailable"
        return "Preparing" if self.is_plugged else "Available"

    async def set_status(self, status: str, error_code: str = "NoError") -> None:
        """Change the status and report it; unreported ones are reported after reconnecting."""
        self.assign(status, error_code)
        await self.station.report_status(self)

    def assign(self, status: str, error_code: str = "NoError") -> None:
        if status == "Available" and not self.operative:
            status = "Unavailable"
        elif status == "Available" and self.station.reservations.at(self.connector_id):
            status = "Reserved"
        self.status, self.error_code = status, error_code
        self.station.changed()

    # The transaction

    async def begin(self, id_tag: str) -> None:
        """Start charging now; the Start is queued and, online, waited for."""
        if self.tx is not None or self.vehicle is None:
            raise ScenarioError(f"connector {self.connector_id} cannot start a transaction")
        station = self.station
        station.personality.before_start(self)
        self.charge = Charge(
            self.vehicle, self.spec.current, self.spec.max_power_w, self.spec.phases
        )
        tx = LocalTransaction(
            key=station.memory.next_key(station.identity, "transaction"),
            connector_id=self.connector_id,
            id_tag=id_tag,
            started_at=station.now(),
            meter_start_wh=station.personality.start_register_wh(self),
            reservation_id=station.reservations.use(self, id_tag),
            target_wh=self.vehicle.wants_wh,
        )
        self.tx = station.memory.transactions[tx.key] = tx
        station.smart_charging.begin_transaction(self.connector_id)
        self.charge.max_power_w = self.limit_w
        self._advanced_at = asyncio.get_running_loop().time()
        if station.configuration.measurands("StopTxnSampledData"):
            tx.boundary_samples.append(self._boundary_sample("Transaction.Begin"))
        message = station.enqueue(tx, *station.dialect.start(tx))
        self._loop = station.spawn(self._run(tx))
        station.note(f"connector {self.connector_id}: charging starts for {id_tag}")
        await station.delivery.settled(message)
        if self.tx is tx and self.status not in ("SuspendedEV", "SuspendedEVSE"):
            await self.set_status("Charging")

    async def end(
        self, reason: str, *, id_tag: str | None = None, unplugged: bool = False
    ) -> LocalTransaction:
        """Stop charging and report it, in the order this station's personality has."""
        tx = self.take_off()
        if tx is None:
            raise ScenarioError(f"connector {self.connector_id} has no transaction")
        tx.stopped_at = self.station.now()
        tx.meter_stop_wh = self.station.personality.stop_register_wh(self, tx)
        tx.reason, tx.stop_id_tag = reason, id_tag
        if tx.boundary_samples:
            tx.boundary_samples.append(self._boundary_sample("Transaction.End"))
        self.station.sessions += 1
        self.station.energy_wh += tx.drawn_wh
        self.station.note(
            f"connector {self.connector_id}: session ends ({reason}), {tx.drawn_wh / 1000:.2f} kWh"
        )
        await self.station.personality.report_end(self, tx, unplugged)
        return tx

    async def end_if_running(self, tx: LocalTransaction, reason: str) -> None:
        """Like `end`, unless somebody was faster."""
        if self.tx is tx:
            await self.end(reason)

    def take_off(self) -> LocalTransaction | None:
        """Take the transaction from the outlet, metered up to now, and report nothing."""
        tx = self.tx
        if tx is not None:
            self.advance()
        self.tx, self.power_w = None, 0.0
        if tx is not None:
            self.station.smart_charging.end_transaction(self.connector_id)
        if self._loop is not None and self._loop is not asyncio.current_task():
            self._loop.cancel()
        self._loop = None
        self.station.changed()
        return tx

    def queue_stop(self, tx: LocalTransaction) -> QueuedMessage:
        return self.station.enqueue(tx, *self.station.dialect.stop(tx))

    def queue_reading(
        self, tx: LocalTransaction, context: str = "Sample.Periodic"
    ) -> QueuedMessage:
        station = self.station
        measurands = station.configuration.measurands("MeterValuesSampledData")
        value = station.dialect.sample(self, self.reading(tx), station.now(), context, measurands)
        tx.samples_taken += 1
        return station.enqueue(tx, *station.dialect.meter_values(self.connector_id, [value]))

    def reading(self, tx: LocalTransaction | None = None) -> Reading:
        register_wh = self.station.personality.sample_register_wh(self, tx)
        if self.charge is None:
            return Reading(register_wh, 0.0, (0.0,), 230.0, None)
        return self.charge.reading(register_wh, self.power_w)

    def _boundary_sample(self, context: str) -> dict[str, object]:
        station = self.station
        measurands = station.configuration.measurands("StopTxnSampledData")
        return station.dialect.sample(
            self, self.reading(self.tx), station.now(), context, measurands
        )

    def advance(self) -> None:
        """Bring the meter up to now: real time passed, times the station's speed."""
        now = asyncio.get_running_loop().time()
        duration_s = (now - self._advanced_at) * self.station.speed
        self._advanced_at = now
        if self.tx is None or self.charge is None or not self.is_plugged:
            return
        self.charge.max_power_w = self.limit_w
        target = self.tx.target_wh
        room_wh = None if target is None else max(0.0, target - self.tx.drawn_wh)
        drawn_wh = self.charge.advance(duration_s, room_wh)
        paused = room_wh is not None and drawn_wh >= room_wh
        self.power_w = 0.0 if paused else self.charge.power_w()
        self.tx.drawn_wh += drawn_wh
        self.register_wh += drawn_wh
        self.station.memory.registers_wh[self.connector_id] = self.register_wh

    async def _run(self, tx: LocalTransaction) -> None:
        """Charge, take readings every sample interval, tell when the car pauses or goes on."""
        station = self.station
        loop = asyncio.get_running_loop()
        sampled_at = loop.time()
        while self.tx is tx:
            interval_s = station.configuration.integer("MeterValueSampleInterval") / station.speed
            due_s = sampled_at + interval_s - loop.time() if interval_s else LONGEST_STEP_S
            await asyncio.sleep(min(LONGEST_STEP_S, max(SHORTEST_STEP_S, due_s, 0)))
            self.advance()
            station.changed()
            if interval_s and loop.time() >= sampled_at + interval_s:
                sampled_at = loop.time()
                self.queue_reading(tx)
                await station.personality.after_sample(self, tx)
            if self.tx is not tx:
                return
            # The meter must not wait for the answer, so the report goes its own way.
            if self.power_w <= 0 and self.status == "Charging":
                self.assign("SuspendedEV" if self.limit_w > 0 else "SuspendedEVSE")
                station.spawn(station.report_status(self))
            elif self.power_w > 0 and self.status in ("SuspendedEV", "SuspendedEVSE"):
                self.assign("Charging")
                station.spawn(station.report_status(self))

    @property
    def limit_w(self) -> float:
        """What may be drawn now: the outlet's own power, or less where charging profiles say so."""
        return self.station.smart_charging.limit_w(self, self.station.now())

    @property
    def wants_no_more(self) -> bool:
        """The car is full, or has what the script asked for."""
        tx, charge = self.tx, self.charge
        if tx is None or charge is None:
            return True
        reached = tx.target_wh is not None and tx.drawn_wh >= tx.target_wh - 1e-6
        return reached or charge.vehicle.is_full


def random_specs(rng: random.Random, count: int) -> list[OutletSpec]:
    """A station of `count` equal outlets, AC more often than DC."""
    kind = rng.choice((AC_22, AC_22, AC_11, DC_50, DC_150))
    return [
        OutletSpec(kind.current, kind.max_power_w, kind.phases, float(rng.randrange(10**4, 10**7)))
        for _ in range(count)
    ]
