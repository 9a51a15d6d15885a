"""Virtual stations that live fast while the server under them is killed, stopped and starved.

Each takes car after car; now and then its power fails, its process ends and comes back from flash, or its
network drops, also with a Start in the queue that nobody has acknowledged. What they were told is in one journal.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from stations.simulator import Journal, Vehicle, VirtualStation
from stations.simulator.outlet import ScenarioError
from tests.faults.site import PASSWORD, Site

# Thirty times faster a car of 11 kW takes less than the 400 kW that nobody doubts: sessions get their price.
SPEED = 30
# Of twenty stations: most are honest, the others have habits that make the same start come twice.
PERSONALITIES = ("honest",) * 7 + ("counter_restarts", "repeats_start_new_id", "double_start")
# With so much to deliver a station takes no further car, or draining would take longer than the run.
MAX_QUEUE = 20
DRAIN_S = 60


@dataclass(frozen=True)
class Habits:
    """How often a session is cut short, per session."""

    power_fails: float = 0.12
    flash_reboots: float = 0.10
    forgets: float = 0.05
    drops: float = 0.10
    starts_offline: float = 0.15


CALM = Habits(power_fails=0, flash_reboots=0, forgets=0, drops=0, starts_offline=0)


@dataclass(frozen=True)
class Pace:
    """How fast a station lives, in real seconds: from, to. `sample_interval_s` is the station's own time."""

    session_s: tuple[float, float] = (0.2, 1.2)
    pause_s: tuple[float, float] = (0.05, 0.15)
    sample_interval_s: int = 9
    redials_after_s: tuple[float, float] = (0.1, 1.0)


HURRIED = Pace()
# Hundreds of them leave the machine time to breathe: a reading every three seconds, a car every half minute.
UNHURRIED = Pace(
    session_s=(10, 40), pause_s=(2, 8), sample_interval_s=90, redials_after_s=(0.5, 5.0)
)


class Member:
    """One station of the fleet; its `VirtualStation` changes when it comes back from flash."""

    def __init__(
        self,
        fleet: "Fleet",
        url: str,
        identity: str,
        personality: str,
        seed: str,
        habits: Habits,
        pace: Pace,
    ) -> None:
        self.url = url
        self.identity = identity
        self.personality = personality
        self.rng = random.Random(seed)
        self.queued_start_reboots = 0
        self.is_away = False
        self.life: asyncio.Task[None] | None = None
        self._fleet = fleet
        self._habits = habits
        self._pace = pace
        self.station = self._make()

    def _make(self) -> VirtualStation:
        return VirtualStation(
            self.url,
            self.identity,
            password=PASSWORD,
            personality=self.personality,
            speed=SPEED,
            seed=self.rng.random().hex(),
            journal=self._fleet.journal,
            configuration={
                "MeterValueSampleInterval": str(self._pace.sample_interval_s),
                "StopTxnSampledData": "Energy.Active.Import.Register",
                "TransactionMessageRetryInterval": "0",
            },
            state_path=self._fleet.flash / f"{self.identity}.json",
            call_timeout_s=self._fleet.call_timeout_s,
            reconnect_base_s=self._pace.redials_after_s[0],
            reconnect_cap_s=self._pace.redials_after_s[1],
        )

    async def live(self) -> None:
        """One car after the other until the fleet comes to rest."""
        while not self._fleet.resting:
            if len(self.station.memory.queue) < MAX_QUEUE:
                await self._serve_a_car()
            await asyncio.sleep(self.rng.uniform(*self._pace.pause_s))

    async def _serve_a_car(self) -> None:
        habits, rng = self._habits, self.rng
        offline = rng.random() < habits.starts_offline
        if offline:
            self._lose_network()
        outlet = self.station.outlet()
        await self.station.plug(vehicle=Vehicle(soc_percent=rng.uniform(10, 70)))
        await self.station.tap(rng.choice(self._fleet.cards))
        if offline and rng.random() < 0.7:
            # The Start waits in the queue when the power goes.
            await rng.choice((self._fail_power, self._come_back_from_flash))()
        elif outlet.tx is not None:
            await self.station.charge(duration_s=SPEED * rng.uniform(*self._pace.session_s))
            await self._disturb()
        if not self.is_away:
            self.station.uplink.wanted.set()
        with contextlib.suppress(ScenarioError):  # the power may have failed and the car be gone
            await self.station.unplug()

    async def _disturb(self) -> None:
        habits, dice = self._habits, self.rng.random()
        for chance, event in (
            (habits.power_fails, self._fail_power),
            (habits.flash_reboots, self._come_back_from_flash),
            (habits.forgets, self._forget),
            (habits.drops, self._drop),
        ):
            if dice < chance:
                await event()
                return
            dice -= chance

    def vanish(self, *, for_long: bool) -> None:
        """Never a word more over the socket of now, and none over another one until `come_back` if it is for long."""
        if for_long:
            self.is_away = True
            self.station.uplink.wanted.clear()
        self.station.uplink.abandon()

    def come_back(self) -> None:
        self.is_away = False
        self.station.uplink.wanted.set()

    def _lose_network(self) -> None:
        self.station.uplink.wanted.clear()
        self.station.uplink.drop()

    async def _drop(self) -> None:
        self.station.uplink.drop()

    async def _fail_power(self) -> None:
        self._note_queue()
        await self.station.power_cycle()

    async def _forget(self) -> None:
        await self.station.power_cycle(forget_transactions=True)

    async def _come_back_from_flash(self) -> None:
        """The process ends; a new one finds queue, transactions and registers where it left them."""
        self._note_queue()
        await self.station.close()
        self.station = self._make()
        self.station.power_on()

    def _note_queue(self) -> None:
        queue = self.station.memory.queue
        self.queued_start_reboots += any(m.action == "StartTransaction" for m in queue)

    async def settle(self) -> None:
        """Online, and nothing left to deliver."""
        self.come_back()
        await self.station.wait_until(lambda _: self.is_settled, None)

    @property
    def is_settled(self) -> bool:
        return self.station.is_online and not self.station.memory.queue

    def __str__(self) -> str:
        station = self.station
        queue = [message.action for message in station.memory.queue]
        return (
            f"{self.identity} ({self.personality}): {station.registration}, online {station.is_online},"
            f" resting {self.life.done() if self.life else None},"
            f" to deliver {len(queue)} {queue[:3]}, running {station.outlet().tx}"
        )


class Fleet:
    """Twenty stations unless told otherwise, one journal, some cards that they share."""

    def __init__(
        self,
        site: Site,
        urls: Sequence[str],
        flash: Path,
        *,
        size: int = 20,
        seed: str = "fleet",
        habits: Habits = Habits(),  # noqa: B008 - frozen
        pace: Pace = HURRIED,
        call_timeout_s: float = 10,
        drain_s: float = DRAIN_S,
    ) -> None:
        self.journal = Journal()
        self.flash = flash
        self.cards = [token.uid for token in site.id_tokens]
        self.call_timeout_s = call_timeout_s
        self.drain_s = drain_s
        self.resting = False
        self.members = [
            Member(
                self,
                urls[number % len(urls)],
                site.stations[number].identity,
                PERSONALITIES[number % len(PERSONALITIES)] if habits != CALM else "honest",
                f"{seed}/{number}",
                habits,
                pace,
            )
            for number in range(size)
        ]

    @property
    def _lives(self) -> list[asyncio.Task[None]]:
        return [member.life for member in self.members if member.life is not None]

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator["Fleet"]:
        """Switched on and charging inside the block; switched off, whatever happens, after it."""
        try:
            async with asyncio.timeout(self.drain_s):
                await asyncio.gather(*(m.station.start(self.drain_s) for m in self.members))
            for member in self.members:
                member.life = asyncio.create_task(member.live())
            yield self
        finally:
            for life in self._lives:
                life.cancel()
            await asyncio.gather(*self._lives, return_exceptions=True)
            await asyncio.gather(*(member.station.close() for member in self.members))

    async def come_to_rest(self) -> None:
        """Let the running sessions end and every queue drain.

        Raises AssertionError when one does not, and whatever ended a station's life early.
        """
        self.resting = True
        try:
            async with asyncio.timeout(self.drain_s):
                await asyncio.gather(*self._lives)
                await asyncio.gather(*(member.settle() for member in self.members))
        except TimeoutError as error:
            restless = [str(member) for member in self.members if not member.is_settled]
            raise AssertionError("\n".join(["restless:", *restless])) from error

    async def acknowledged(self, more: int) -> None:
        """Wait until the server has acknowledged so many calls more.

        Raises TimeoutError when it acknowledges nothing for `drain_s`.
        """
        counts = self.journal.counts
        wanted = counts["acknowledged"] + more
        while (before := counts["acknowledged"]) < wanted:
            async with asyncio.timeout(self.drain_s):
                while counts["acknowledged"] == before:
                    self._raise_if_dead()
                    await asyncio.sleep(0.02)

    def _raise_if_dead(self) -> None:
        for life in self._lives:
            if life.done() and not self.resting:
                life.result()
                raise AssertionError("a station's life ended early")

    @property
    def queued_start_reboots(self) -> int:
        """How often a station rebooted with a Start in its queue."""
        return sum(member.queued_start_reboots for member in self.members)
