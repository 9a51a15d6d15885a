from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from stations.simulator import VirtualStation

from .central import Central


@pytest.fixture
async def central() -> AsyncIterator[Central]:
    async with Central() as system:
        yield system


@pytest.fixture
async def make_station(central: Central) -> AsyncIterator[Callable[..., VirtualStation]]:
    """Stations that live 600 times faster and redial at once; all are switched off at the end."""
    async with AsyncExitStack() as stack:

        def make(identity: str = "SIM-1", **options: Any) -> VirtualStation:
            options = {
                "speed": 600,
                "seed": 1,
                "reconnect_base_s": 0.01,
                "boot_retry_s": 0.01,
                **options,
            }
            station = VirtualStation(central.url, identity, **options)
            stack.push_async_callback(station.close)
            return station

        yield make


@pytest.fixture
def rng() -> random.Random:
    return random.Random(1)
