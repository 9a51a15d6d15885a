"""Commands asked for all the time, each with words of its own, so that a station's journal tells how often it got them."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import uuid4

from django.db import DatabaseError

from accounts.services.actors import Actor
from stations.models import ChargingStation, Command
from stations.services.commands import queue_command
from stations.simulator.commands import VENDOR_ID
from tests.faults.site import Site
from tests.stations.ocpp.conftest import eventually, in_db

ACTION = "DataTransfer"


@dataclass
class Errands:
    """`queued` holds the words of those that were taken on: that is a promise, too."""

    queued: set[str] = field(default_factory=set)


@asynccontextmanager
async def errands(
    site: Site, stations: Sequence[ChargingStation], *, every_s: float, seed: str
) -> AsyncIterator[Errands]:
    """Ask one station after the other for an echo, as long as the block lasts."""
    rng = random.Random(seed)
    asked = Errands()

    async def run() -> None:
        while True:
            await asyncio.sleep(rng.uniform(0.5, 1.5) * every_s)
            row, words = rng.choice(stations), uuid4().hex
            try:
                await in_db(lambda row=row, words=words: _queue(site, row, words))
            except DatabaseError:  # nobody was promised anything
                continue
            asked.queued.add(words)

    task = asyncio.create_task(run())
    try:
        yield asked
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _queue(site: Site, row: ChargingStation, words: str) -> Command:
    return queue_command(
        station=row,
        action=ACTION,
        payload={"vendorId": VENDOR_ID, "messageId": "Echo", "data": words},
        acting=Actor.system(site.operator),
    )


async def all_over(site: Site, timeout_s: float = 60) -> None:
    """Wait until no command of the site is waiting or out. Somebody else sweeps."""
    open_ones = Command.objects.filter(operator=site.operator, status__in=("queued", "sent"))
    await eventually(lambda: not open_ones.exists(), timeout_s=timeout_s)
