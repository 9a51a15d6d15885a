"""Every message a station may send, each field wrong in every way, over real sockets (RELIABILITY 78 to 80, 84).

Every frame is answered, with the code that its fault deserves; the station stays heard; whatever was acknowledged
found its place, and the operator can look at all of it.
"""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Callable
from itertools import islice

import pytest

from tests.conformance.site import Registered, Site
from tests.conformance.wire import WireStation
from tests.fuzz.grammar import Case, cases

STATIONS = 8
HEARD_EVERY = 25
LONG = pytest.param(20_000, marks=pytest.mark.fuzz)


@pytest.mark.parametrize("number", [1_000, LONG])
async def test_one_fault_at_a_time(site: Site, number: int, say: Callable[[str], None]) -> None:
    began = time.monotonic()
    todo = iter(enumerate(islice(cases(random.Random(number), min(1, number / 3_000)), number)))
    wrong: list[str] = []
    tried: Counter[str] = Counter()

    async def play(station: Registered) -> None:
        async with site.connect(station) as wire:
            for index, case in todo:
                tried[case.action] += 1
                if fault := await fault_of(wire, index, case):
                    wrong.append(fault)
                if index % HEARD_EVERY == 0:
                    assert await wire.is_heard()
            assert await wire.is_heard()
            assert wire.unasked == []

    stations = [await site.make_station() for _ in range(STATIONS)]
    await asyncio.gather(*(play(station) for station in stations))
    rate = 1 - len(wrong) / number
    say(f"{tried.total()} cases, {rate:.2%} as expected, {time.monotonic() - began:.0f} s")
    assert wrong == [], "\n".join(wrong[:40])
    assert tried.total() == number
    for station in stations:
        await look_at_everything(site, station)


async def fault_of(wire: WireStation, index: int, case: Case) -> str | None:
    """What is wrong with the answer to a case; None if it is as it should be."""
    message_id = f"c{index}"
    text = f'[2,"{message_id}","{case.action}",{case.text}]'
    try:
        frame = await wire.exchange(text, message_id, case.action)
    except TimeoutError:
        return f"{case.action} {case.fault}: no answer; {text[:300]}"
    code = "" if frame[0] == 3 else frame[2]
    if code in case.expected:
        return None
    return f"{case.action} {case.fault}: {code or 'a result'}, not {set(case.expected)}; {text[:300]} → {json.dumps(frame)[:200]}"


async def look_at_everything(site: Site, station: Registered) -> None:
    """Every page that shows what the station sent can be read to its end."""
    for path in (
        f"{station.path}messages/?limit=200",
        f"/transactions/?limit=200&station={station.identity}",
        f"/sessions/?limit=200&station={station.identity}",
    ):
        address: str | None = path
        while address:
            page = await site.rest.get(address)
            address = page["next"]
    await site.rest.get(station.path)
    for tx in (await site.transactions(station))[:5]:
        await site.meter_values(tx)
