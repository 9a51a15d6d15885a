"""Many stations in one process, with people at them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .curve import Vehicle
from .journal import Journal
from .outlet import AC_11, AC_22, DC_50, DC_150, Outlet, OutletSpec, random_specs
from .people import Drivers, Habit, TagPool, break_now_and_then
from .personalities import personality
from .station import Note, VirtualStation

DEMO_PREFIX = "DEMO-"
DEMO_TAGS = tuple(f"DEMO-CARD-{number:02d}" for number in range(1, 7))


@dataclass(frozen=True)
class Member:
    """One station of the fleet: outlets with their habits, and whether it breaks at times."""

    identity: str
    outlets: Sequence[tuple[OutletSpec, Habit]]
    breaks: bool = False


@dataclass(frozen=True)
class Plan:
    """What to run. `cycles` None means for ever; `state_dir` makes stations remember."""

    url: str
    members: Sequence[Member]
    id_tags: Sequence[str]
    password: str | None = None
    character: str = "honest"
    speed: float = 1.0
    seed: int | str | None = None
    cycles: int | None = None
    reserve_first_tag: bool = False
    state_dir: Path | None = None
    configuration: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Summary:
    stations: int
    online: int  # now, or at some time once the fleet is over
    sessions: int
    energy_wh: float
    acknowledged: int
    refused: int
    unanswered: int
    queued: int

    def __str__(self) -> str:
        return (
            f"{self.online} of {self.stations} stations online, {self.sessions} sessions, "
            f"{self.energy_wh / 1000:.1f} kWh; messages: {self.acknowledged} acknowledged, "
            f"{self.refused} refused, {self.unanswered} unanswered, {self.queued} queued"
        )


class Fleet:
    """Runs a plan. `note` hears what every station has to tell."""

    def __init__(
        self, plan: Plan, *, journal: Journal | None = None, note: Note | None = None
    ) -> None:
        self.plan = plan
        self.journal = journal if journal is not None else Journal(keep=1_000)
        self.ever_online: set[str] = set()
        self._over = False
        self._note = note
        self._rng = random.Random(f"fleet/{plan.seed}")  # noqa: S311
        self._pool = TagPool(plan.id_tags, plan.reserve_first_tag)
        self.stations = [self._build(member) for member in plan.members]

    def _build(self, member: Member) -> VirtualStation:
        plan = self.plan
        state_dir = plan.state_dir
        return VirtualStation(
            plan.url,
            member.identity,
            password=plan.password,
            connectors=[spec for spec, _ in member.outlets],
            personality=personality(plan.character, self._rng),
            speed=plan.speed,
            seed=plan.seed,
            journal=self.journal,
            configuration=dict(plan.configuration),
            state_path=state_dir / f"{member.identity}.json" if state_dir else None,
            note=self._hear,
        )

    def _hear(self, identity: str, sentence: str) -> None:
        if sentence == "online":
            self.ever_online.add(identity)
        if self._note is not None:
            self._note(identity, sentence)

    async def run(self, stop: asyncio.Event) -> None:
        """Run until every cycle is done or `stop` is set; then leave nothing half-told."""
        work = [
            asyncio.create_task(self._operate(station, member, index))
            for index, (station, member) in enumerate(
                zip(self.stations, self.plan.members, strict=True)
            )
        ]
        waits = [asyncio.create_task(asyncio.wait(work)), asyncio.create_task(stop.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (*waits, *work):
                task.cancel()
            outcomes = await asyncio.gather(*work, return_exceptions=True)
            await asyncio.gather(*(self._put_away(station) for station in self.stations))
            self._over = True
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome

    async def _operate(self, station: VirtualStation, member: Member, index: int) -> None:
        await asyncio.sleep(min(0.05, 5 / len(self.stations)) * index)
        station.power_on()
        drivers = {
            number: Drivers(station, station.outlets[number], habit, self._pool)
            for number, (_, habit) in enumerate(member.outlets, start=1)
        }

        def come(outlet: Outlet) -> None:
            station.spawn(drivers[outlet.connector_id].answer_remote_start())

        station.on_remote_start = come
        if member.breaks:
            station.spawn(break_now_and_then(station))
        await station.wait_until(lambda s: s.is_online, None)
        await asyncio.gather(*(each.run(self.plan.cycles) for each in drivers.values()))

    async def _put_away(self, station: VirtualStation, patience_s: float = 5) -> None:
        """With a memory, sessions end at the next start with PowerLoss; without one, now."""
        if self.plan.state_dir is None:
            try:
                async with asyncio.timeout(patience_s):
                    for outlet in station.outlets.values():
                        if outlet.is_plugged:
                            await outlet.unplug()
                    if station.ready:
                        await station.drained(None)
            except TimeoutError:
                pass  # the summary tells what is left
        await station.close()

    def summary(self) -> Summary:
        counts = self.journal.counts
        answered = counts["acknowledged"] + counts["refused"]
        return Summary(
            stations=len(self.stations),
            online=len(self.ever_online)
            if self._over
            else sum(station.is_online for station in self.stations),
            sessions=sum(station.sessions for station in self.stations),
            energy_wh=sum(station.energy_wh for station in self.stations),
            acknowledged=counts["acknowledged"],
            refused=counts["refused"],
            unanswered=counts["requests"] - answered,
            queued=sum(len(station.memory.queue) for station in self.stations),
        )


def plain_members(identities: Sequence[str], seed: int | str | None) -> list[Member]:
    """Stations of all kinds, one or two outlets each; the same for the same seed."""
    members = []
    for identity in identities:
        rng = random.Random(f"{identity}/{seed}/hardware")  # noqa: S311
        specs = random_specs(rng, rng.choice((1, 2, 2)))
        members.append(Member(identity, [(spec, Habit()) for spec in specs]))
    return members


def _quick_car(rng: random.Random) -> Vehicle:
    """Takes 150 kW at once: warm, and far from full."""
    return Vehicle(
        battery_wh=77_000, soc_percent=rng.uniform(15, 35), dc_limit_w=170_000, battery_c=25
    )


# About 1 kWh in 25 seconds: a whole session to look at while the kettle boils.
QUICK = Habit(
    first_pause_s=(2, 2),
    pause_s=(20, 40),
    session_s=(24, 26),
    linger_s=(2, 4),
    vehicle=_quick_car,
    own_tag=True,
)
UNHURRIED = Habit(first_pause_s=(8, 60), pause_s=(30, 120), session_s=(180, 480))
LONG = Habit(first_pause_s=(8, 90), pause_s=(60, 240), session_s=(300, 1_200))

DEMO_SITE: tuple[tuple[tuple[OutletSpec, Habit], ...], ...] = (
    ((DC_150, QUICK), (DC_150, UNHURRIED)),
    ((DC_150, UNHURRIED), (DC_150, UNHURRIED)),
    ((AC_22, LONG), (AC_22, LONG)),
    ((DC_50, UNHURRIED),),
    ((AC_11, LONG),),
    ((AC_22, LONG), (AC_22, UNHURRIED)),
)


def demo_members(count: int) -> list[Member]:
    """A site to show: the first station has short sessions, the last one breaks now and then."""
    members = []
    for number in range(count):
        outlets = [
            (_with_register(spec, number, position), habit)
            for position, (spec, habit) in enumerate(DEMO_SITE[number % len(DEMO_SITE)])
        ]
        breaks = number == count - 1 > 0
        members.append(Member(f"{DEMO_PREFIX}{number + 1:03d}", outlets, breaks))
    return members


def _with_register(spec: OutletSpec, number: int, position: int) -> OutletSpec:
    """Meters that have been counting for a while."""
    register_wh = 1_250_000.0 + 731_000 * number + 98_000 * position
    return OutletSpec(spec.current, spec.max_power_w, spec.phases, register_wh)


Report = Callable[[str], None]


async def report_every(fleet: Fleet, interval_s: float, report: Report) -> None:
    while True:
        await asyncio.sleep(interval_s)
        report(str(fleet.summary()))
