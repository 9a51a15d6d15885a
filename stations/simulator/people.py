"""The people around the stations: drivers who come and go, and what now and then breaks."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from .curve import Vehicle, random_vehicle
from .outlet import Outlet, ScenarioError
from .station import VirtualStation

Range = tuple[float, float]


@dataclass(frozen=True)
class Habit:
    """How an outlet is used. All times in seconds of station time (see `speed`)."""

    first_pause_s: Range = (2, 60)
    pause_s: Range = (20, 180)
    session_s: Range = (180, 1_200)
    linger_s: Range = (2, 15)
    vehicle: Callable[[random.Random], Vehicle] = random_vehicle
    own_tag: bool = False


@dataclass
class TagPool:
    """Cards in circulation; nobody uses one card at two outlets. The first may be kept apart."""

    tags: Sequence[str]
    reserve_first: bool = False
    in_use: set[str] = field(default_factory=set)

    def take(self, rng: random.Random, own: bool = False) -> str | None:
        keep_apart = self.reserve_first and len(self.tags) > 1
        circle = self.tags[:1] if own else self.tags[1:] if keep_apart else self.tags
        free = [tag for tag in circle if tag not in self.in_use]
        if not free:
            return None
        tag = rng.choice(free)
        self.in_use.add(tag)
        return tag

    def give_back(self, tag: str) -> None:
        self.in_use.discard(tag)


class Drivers:
    """Everybody who comes to one outlet, one after the other."""

    def __init__(
        self, station: VirtualStation, outlet: Outlet, habit: Habit, pool: TagPool
    ) -> None:
        self._station = station
        self._outlet = outlet
        self._habit = habit
        self._pool = pool
        self._rng = random.Random(f"{station.rng.random()}/{outlet.connector_id}")  # noqa: S311
        self._here = asyncio.Lock()

    async def run(self, cycles: int | None) -> None:
        """Visit `cycles` times, or for ever. Refused visits count."""
        await self._sleep(self._habit.first_pause_s)
        done = 0
        while cycles is None or done < cycles:
            await self._station.wait_until(
                lambda _: self._outlet.status == "Available" and not self._outlet.is_plugged, None
            )
            tag = self._pool.take(self._rng, self._habit.own_tag)
            if tag is not None:
                try:
                    async with self._here:
                        await self._visit(tag)
                except ScenarioError:
                    await self._leave()
                finally:
                    self._pool.give_back(tag)
                done += 1
            await self._sleep(self._habit.pause_s)

    async def _visit(self, tag: str) -> None:
        station, outlet = self._station, self._outlet
        vehicle = self._habit.vehicle(self._rng)
        taps_first = self._rng.random() < 0.3
        if not taps_first:
            await outlet.plug(vehicle)
            await self._sleep((1, 3))
        status = await station.tap(tag, outlet.connector_id)
        if status != "Accepted":
            station.note(f"connector {outlet.connector_id}: {tag} is refused ({status})")
        elif taps_first:
            await self._sleep((1, 3))
            await outlet.plug(vehicle)
        await self._charge(tag)

    async def _charge(self, tag: str | None) -> None:
        """Wait for the session's end, or end it, in one of the ways people do; then leave."""
        outlet, tx = self._outlet, self._outlet.tx
        if tx is not None:
            seconds = self._rng.uniform(*self._habit.session_s) / self._station.speed
            with contextlib.suppress(TimeoutError):
                await self._station.wait_until(
                    lambda _: outlet.tx is not tx or outlet.wants_no_more, seconds
                )
            ending = self._rng.random()
            if outlet.tx is tx and ending < 0.6:
                await outlet.end("Local", id_tag=tag or tx.id_tag)
            elif outlet.tx is tx and ending < 0.75:
                await outlet.end("Local")
            # the others just pull the plug
            if outlet.tx is None:
                await self._sleep(self._habit.linger_s)
        await self._leave()

    async def _leave(self) -> None:
        if self._outlet.is_plugged:
            await self._outlet.unplug()

    async def answer_remote_start(self) -> None:
        """Somebody started from afar: come within seconds, plug in, charge, leave."""
        async with self._here:
            outlet = self._outlet
            if not outlet.is_plugged:
                await self._sleep((2, 5))
                await outlet.plug(self._habit.vehicle(self._rng))
            await self._charge(None)

    async def _sleep(self, span: Range) -> None:
        await asyncio.sleep(self._rng.uniform(*span) / self._station.speed)


async def break_now_and_then(
    station: VirtualStation, every_s: Range = (180, 300), repaired_after_s: float = 300
) -> None:
    """Fault a connector at times; a Reset mends it, and so does a technician in the end."""
    while True:
        await asyncio.sleep(station.rng.uniform(*every_s) / station.speed)
        outlet = station.rng.choice(list(station.outlets.values()))
        station.note(f"connector {outlet.connector_id}: ground failure")
        await outlet.fault("GroundFailure")
        try:
            await station.wait_until(
                lambda _, broken=outlet: broken.status != "Faulted",  # type: ignore[misc]
                repaired_after_s / station.speed,
            )
        except TimeoutError:
            await outlet.clear_fault()
        station.note(f"connector {outlet.connector_id}: works again")
