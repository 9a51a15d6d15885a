"""SIGTERM under load, as a deployment sends it: what was taken is answered, the rest is told again.

Source: RELIABILITY check 87; rules 1, 8.
"""

import random

import pytest
from django.db.models.functions import Now

from accounts.services.actors import Actor
from stations.models import Command, Connection, Gateway, StationState
from stations.services.commands import queue_command
from tests.faults.fleet import CALM, Fleet
from tests.faults.oracle import judge
from tests.faults.raw import socket_of
from tests.stations.ocpp.conftest import eventually, in_db

LONG = pytest.param(6, 20, marks=pytest.mark.faults)


@pytest.mark.parametrize(("deploys", "stations"), [(1, 10), LONG])
async def test_a_deployment_loses_nothing_and_leaves_nothing_half_done(
    site, make_server, tmp_path, say, deploys, stations
):
    server = await make_server()
    rng = random.Random(deploys)
    fleet = Fleet(
        site, [server.ocpp_url], tmp_path, size=stations, seed=f"deploy {deploys}", habits=CALM
    )
    async with fleet.at_work():
        for _ in range(deploys):
            await fleet.acknowledged(stations * rng.choice((1, 3, 6)))
            await server.stopped()
            open_sockets, leases = await in_db(lambda: _left_behind(site))
            assert (open_sockets, leases) == (0, 0)
            await server.up()
        await fleet.acknowledged(stations)
        await fleet.come_to_rest()
        verdict = await in_db(lambda: judge(fleet.journal, site.operator))
        assert await in_db(lambda: _online(site)) == stations
    say(f"{deploys} deployments, {verdict}")
    assert verdict.clean, verdict
    assert verdict.numbers["starts"] > stations
    # A kill leaves facts that nobody was told of; an orderly end answers all it has taken.
    assert verdict.numbers["stored unanswered"] == 0


def _left_behind(site):
    """Sockets still shown open, and gateways still shown alive that held them."""
    states = StationState.objects.filter(station__operator=site.operator)
    gateways = set(states.values_list("gateway_id", flat=True))
    open_connections = Connection.objects.filter(
        station__operator=site.operator, closed_at__isnull=True
    ).count()
    alive = Gateway.objects.filter(pk__in=gateways, lease_until__gt=Now()).count()
    return states.filter(connected=True).count() + open_connections, alive


def _online(site):
    return StationState.objects.filter(station__operator=site.operator, connected=True).count()


async def test_a_command_that_was_out_ends_as_unanswered_and_a_queued_one_waits(site, make_server):
    server = await make_server()
    row = site.stations[0]

    def queue(action, **payload):
        return queue_command(
            station=row, action=action, payload=payload, acting=Actor.system(site.operator)
        )

    async with socket_of(row, server) as station:
        out = await in_db(lambda: queue("ClearCache"))
        await station.expect_call("ClearCache")
        waiting = await in_db(lambda: queue("Reset", type="Soft"))
        await server.stopped()
        out = await in_db(lambda: Command.objects.get(pk=out.pk))
        assert (out.status, out.error["code"]) == ("timed_out", "no_answer")
        assert (await in_db(lambda: Command.objects.get(pk=waiting.pk))).status == "queued"
    await server.up()
    async with socket_of(row, server, boot=False) as station:
        call = await station.expect_call("Reset")
        await station.answer(call, {"status": "Accepted"})
        await eventually(lambda: Command.objects.filter(pk=waiting.pk, status="accepted").first())
