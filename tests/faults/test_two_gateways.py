"""Two gateway processes: the newest socket wins across them, and the death of one is seen and mended.

Source: RELIABILITY checks 9, 86, 91; rules 6, 8; DESIGN §3 (connection generation, leases).
"""

import asyncio

import psycopg
import pytest
from django.utils import timezone

from accounts.services.actors import Actor
from stations.models import ChargingStation, Command, Gateway, StationState, Transaction
from stations.selectors.stations import with_presence
from stations.services.commands import queue_command, sweep_commands
from stations.services.presence import sweep_presence
from stations.simulator.client import ConnectionLost
from tests.faults.listeners import deafen, listening
from tests.faults.raw import reading, socket_of, start, stop
from tests.server import test_database_url
from tests.stations.ocpp.conftest import eventually, in_db


def queue(site, row, action="ClearCache", **payload):
    return queue_command(
        station=row, action=action, payload=payload, acting=Actor.system(site.operator)
    )


def is_online(row):
    return with_presence(ChargingStation.objects.filter(pk=row.pk)).get().is_online


async def closes(station):
    """Wait until the server has closed a socket; returns the close code and what came before."""
    frames = []
    async with asyncio.timeout(10):
        while True:
            try:
                frames.append(await station.client.receive())
            except ConnectionLost:
                return station.client.close_code, frames


async def test_the_newest_socket_wins_across_processes(site, server, second_server):
    one, two = server, second_server
    row, token = site.stations[0], site.id_tokens[0]
    async with socket_of(row, one) as old:
        begun = start(token.uid)
        tx = (await old.result("StartTransaction", begun))["transactionId"]
        async with socket_of(row, two, boot=False) as new:
            code, frames = await closes(old)
            assert (code, frames) == (4001, [])
            command = await in_db(lambda: queue(site, row))
            await new.answer(await new.expect_call("ClearCache"), {"status": "Accepted"})
            await eventually(
                lambda: Command.objects.filter(pk=command.pk, status="accepted").exists()
            )
            assert (await new.result("StartTransaction", begun))["transactionId"] == tx
            await new.result("MeterValues", reading(tx))
            await new.result("StopTransaction", stop(tx))
            assert await in_db(lambda: is_online(row))
    await eventually(lambda: not is_online(row))
    assert await in_db(lambda: Transaction.objects.filter(station=row).count()) == 1


async def test_a_socket_taken_over_while_nobody_listened_is_closed_all_the_same(
    site, server, second_server
):
    one, two = server, second_server
    row = site.stations[0]
    async with socket_of(row, one) as old:
        await listening(2)
        await in_db(deafen)
        async with socket_of(row, two, boot=False) as new:
            assert (await closes(old))[0] == 4001
            assert await new.is_heard()
            assert await in_db(lambda: is_online(row))


async def test_stations_and_commands_of_a_killed_process_end_and_the_others_go_on(
    site, make_server, server
):
    one, two = await make_server(), server
    lost_row, kept_row = site.stations[:2]
    async with socket_of(lost_row, one) as lost, socket_of(kept_row, two) as kept:
        sent = await in_db(lambda: queue(site, lost_row))
        await lost.expect_call("ClearCache")
        waiting = await in_db(lambda: queue(site, lost_row, "Reset", type="Soft"))
        await one.killed()
        # A lease lasts a moment longer than its process; then nobody is shown online by it.
        await eventually(lambda: not is_online(lost_row))
        await eventually(lambda: sweep_presence() > 0)
        await in_db(sweep_commands)
        sent = await in_db(lambda: Command.objects.get(pk=sent.pk))
        assert (sent.status, sent.error["code"]) == ("timed_out", "no_answer")
        state = await in_db(lambda: StationState.objects.get(station=lost_row))
        assert not state.connected
        assert await kept.is_heard()
        assert await in_db(lambda: is_online(kept_row))
    async with socket_of(lost_row, two, boot=False) as back:
        # What was out is over; what waited goes out once.
        call = await back.expect_call("Reset")
        await back.answer(call, {"status": "Accepted"})
        await eventually(lambda: Command.objects.filter(pk=waiting.pk, status="accepted").exists())
        assert await back.is_heard()
        assert await in_db(lambda: is_online(lost_row))


async def test_a_lease_that_lapsed_by_mistake_brings_its_stations_back(site, server):
    """The database was away for longer than a lease, and the sweep was faster than the gateway."""
    rows = site.stations[:3]
    async with socket_of(rows[0], server) as first, socket_of(rows[1], server) as second:
        async with socket_of(rows[2], server):
            pass
        await in_db(lambda: _hold_the_lease(rows[0]))
        for row in rows[:2]:
            await eventually(lambda row=row: is_online(row))
        assert await first.is_heard()
        assert await second.is_heard()
        assert not await in_db(lambda: is_online(rows[2]))
    await eventually(lambda: not is_online(rows[0]))


def _hold_the_lease(row):
    """Keep a gateway from renewing until the sweep has taken its stations for lost."""
    gateway_id = StationState.objects.get(station=row).gateway_id
    with psycopg.connect(test_database_url()) as connection:
        connection.execute("SELECT 1 FROM stations_gateway WHERE id = %s FOR UPDATE", [gateway_id])
        while Gateway.objects.get(pk=gateway_id).lease_until > timezone.now():
            connection.execute("SELECT pg_sleep(0.1)")
        assert sweep_presence() >= 2
        assert not is_online(row)


@pytest.mark.parametrize("moves", [10, pytest.param(200, marks=pytest.mark.faults)])
async def test_a_station_that_moves_to_and_fro_ends_with_one_socket(
    site, server, second_server, say, moves
):
    """Each move overtakes the one before; wherever the last one ends, commands go there and nowhere else."""
    servers = [server, second_server]
    row = site.stations[0]
    async with socket_of(row, servers[0]):
        pass
    stale = 0
    previous = None
    for number in range(moves):
        entered = socket_of(row, servers[number % 2], boot=False)
        current = await entered.__aenter__()
        if previous is not None:
            code, _ = await closes(previous[1])
            assert code == 4001
            stale += 1
            await previous[0].__aexit__(None, None, None)
        previous = (entered, current)
    command = await in_db(lambda: queue(site, row))
    await previous[1].answer(await previous[1].expect_call("ClearCache"), {"status": "Accepted"})
    await eventually(lambda: Command.objects.filter(pk=command.pk, status="accepted").exists())
    assert await in_db(lambda: is_online(row))
    await previous[0].__aexit__(None, None, None)
    say(f"{moves} moves between two processes, {stale} old sockets closed")
