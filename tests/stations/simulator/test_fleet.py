from __future__ import annotations

import asyncio
from collections import Counter
from http import HTTPStatus

import pytest

from stations.simulator.fleet import (
    DEMO_TAGS,
    QUICK,
    Fleet,
    Member,
    Plan,
    demo_members,
    plain_members,
)
from stations.simulator.journal import Journal
from stations.simulator.outlet import AC_22, DC_150
from stations.simulator.people import Habit, TagPool


def plan(central, members, **options):
    options = {"id_tags": ["T1", "T2", "T3", "T4"], "speed": 3_600, "seed": 3, **options}
    return Plan(url=central.url, members=members, **options)


async def test_fleet_does_its_cycles_and_leaves_nothing_open(central):
    fleet = Fleet(plan(central, plain_members(["A-1", "A-2", "A-3"], 3), cycles=2))
    async with asyncio.timeout(30):
        await fleet.run(asyncio.Event())

    outlets = sum(len(member.outlets) for member in fleet.plan.members)
    summary = fleet.summary()
    assert len(central.of("StartTransaction")) == len(central.of("StopTransaction")) == 2 * outlets
    assert (summary.sessions, summary.queued, summary.online) == (2 * outlets, 0, 3)
    assert summary.acknowledged == len(central.seen)
    assert summary.refused == summary.unanswered == 0


async def test_energy_of_the_summary_is_what_the_stops_say(central):
    fleet = Fleet(plan(central, plain_members(["A-1", "A-2"], 4), cycles=2))
    async with asyncio.timeout(30):
        await fleet.run(asyncio.Event())

    starts = fleet.journal.acknowledged_starts()
    stops = {stop.transaction_id: stop for stop in fleet.journal.acknowledged_stops()}
    energy_wh = sum(stops[s.transaction_id].meter_stop_wh - s.meter_start_wh for s in starts)
    assert fleet.summary().energy_wh == pytest.approx(energy_wh, abs=len(starts))
    assert energy_wh > 0


async def test_stopping_ends_running_sessions(central):
    habit = Habit(first_pause_s=(0, 0), session_s=(10**9, 10**9))
    fleet = Fleet(plan(central, [Member("A-1", [(AC_22, habit)])], speed=100))
    stop = asyncio.Event()
    running = asyncio.create_task(fleet.run(stop))
    await central.wait_for(lambda: "Charging" in central.statuses(1))
    stop.set()
    await running

    assert central.payloads("StopTransaction")[0]["reason"] == "EVDisconnected"
    assert fleet.summary().queued == 0


async def test_fleet_with_a_memory_tells_the_end_at_the_next_start(central, tmp_path):
    habit = Habit(first_pause_s=(0, 0), session_s=(10**9, 10**9))
    members = [Member("A-1", [(AC_22, habit)])]
    for _ in range(2):
        fleet = Fleet(plan(central, members, speed=100, state_dir=tmp_path))
        stop = asyncio.Event()
        running = asyncio.create_task(fleet.run(stop))
        starts = len(central.of("StartTransaction"))
        await central.wait_for(lambda before=starts: len(central.of("StartTransaction")) > before)
        stop.set()
        await running

    (first_stop,) = central.payloads("StopTransaction")
    assert (first_stop["transactionId"], first_stop["reason"]) == (71, "PowerLoss")
    assert len(central.of("StartTransaction")) == 2


async def test_remote_start_brings_a_driver(central):
    habit = Habit(first_pause_s=(10**9, 10**9), session_s=(600, 600))
    fleet = Fleet(plan(central, [Member("A-1", [(AC_22, habit)])], cycles=1))
    stop = asyncio.Event()
    running = asyncio.create_task(fleet.run(stop))
    await central.wait_for(lambda: central.statuses(1) == ["Available"])
    await central.result("RemoteStartTransaction", {"idTag": "APP-1", "connectorId": 1})
    await central.wait_for(
        lambda: central.statuses(1)[-1] == "Available" and central.of("StopTransaction")
    )
    stop.set()
    await running

    assert central.payloads("StartTransaction")[0]["idTag"] == "APP-1"
    assert {"Preparing", "Charging"} <= set(central.statuses(1))


async def test_breaking_station_is_mended_by_a_reset(central):
    habit = Habit(first_pause_s=(10**9, 10**9))
    fleet = Fleet(plan(central, [Member("A-1", [(AC_22, habit)], breaks=True)], speed=600))
    stop = asyncio.Event()
    running = asyncio.create_task(fleet.run(stop))
    await central.wait_for(lambda: "Faulted" in central.statuses(1))
    await central.result("Reset", {"type": "Hard"})
    await central.wait_for(lambda: len(central.of("BootNotification")) == 2)
    await central.wait_for(lambda: central.statuses(1)[-1] == "Available")
    stop.set()
    await running


async def test_refused_fleet_never_was_online(central):
    central.refuse_with = HTTPStatus.UNAUTHORIZED
    fleet = Fleet(plan(central, plain_members(["A-1"], 1)))
    stop = asyncio.Event()
    running = asyncio.create_task(fleet.run(stop))
    await central.wait_for(lambda: central.authorizations)
    stop.set()
    await running

    assert not fleet.ever_online


async def test_mixed_personalities_get_through_their_cycles(central):
    """Whatever the characters do, sessions start, and no background task fails."""
    names = [f"M-{number}" for number in range(6)]
    fleet = Fleet(plan(central, plain_members(names, 5), character="mixed", cycles=1, speed=1_200))
    async with asyncio.timeout(45):
        await fleet.run(asyncio.Event())

    assert {station.identity for station in fleet.stations} == fleet.ever_online
    assert len({type(station.personality) for station in fleet.stations}) > 2
    assert central.of("StartTransaction")


def test_demo_site_has_one_quick_outlet_and_one_weak_station():
    members = demo_members(8)
    assert [member.identity for member in members][:2] == ["DEMO-001", "DEMO-002"]
    habits = [habit for member in members for _, habit in member.outlets]
    assert members[0].outlets[0][1] is QUICK
    assert members[0].outlets[0][0].max_power_w == DC_150.max_power_w
    # Whatever the dice say, the first session is over within 45 seconds: pause, gestures, charge.
    assert QUICK.first_pause_s[1] + 3 + 3 + QUICK.session_s[1] < 45
    assert Counter(member.breaks for member in members) == {False: 7, True: 1}
    assert len(DEMO_TAGS) == 6
    assert sum(habit.own_tag for habit in habits) == 2  # the site repeats after six stations


def test_plain_members_are_the_same_for_the_same_seed():
    assert plain_members(["A"], 1) == plain_members(["A"], 1)
    kinds = {str(plain_members(["A"], seed)) for seed in range(20)}
    assert len(kinds) > 10


def test_a_card_is_at_one_outlet_at_a_time(rng):
    pool = TagPool(["T1", "T2", "T3"], reserve_first=True)
    taken = {pool.take(rng), pool.take(rng)}
    assert taken == {"T2", "T3"}
    assert pool.take(rng) is None
    assert pool.take(rng, own=True) == "T1"
    pool.give_back("T2")
    assert pool.take(rng) == "T2"


async def test_bounded_journal_keeps_exact_counts():
    journal = Journal(keep=10)
    for number in range(100):
        request = journal.record_request("S", f"k{number}", str(number), "Heartbeat", {})
        if number != 3:
            journal.record_answer(request, result={})

    assert journal.counts["requests"] == 100
    assert journal.counts["acknowledged"] == 99
    assert len(journal.requests) <= 21
    assert [request.message_id for request in journal.unacknowledged()] == ["3"]
