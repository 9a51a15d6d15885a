"""Commands when sockets end at the worst moment.

Source: RELIABILITY rule 8; DESIGN §4 (Command).
"""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.services.actors import Actor
from stations.models import Command
from stations.services.commands import queue_command, sweep_commands
from tests.faults.raw import socket_of
from tests.stations.ocpp.conftest import eventually, in_db


@pytest.mark.parametrize("times", [5, pytest.param(50, marks=pytest.mark.faults)])
async def test_an_answer_counts_although_the_station_is_gone_the_next_instant(site, server, times):
    """A station that accepts a Reset drops its socket with the next packet."""
    row = site.stations[0]
    for number in range(times):
        async with socket_of(row, server, boot=number == 0) as station:
            command = await in_db(
                lambda: queue_command(
                    station=row,
                    action="Reset",
                    payload={"type": "Hard"},
                    acting=Actor.system(site.operator),
                )
            )
            await station.answer(await station.expect_call("Reset"), {"status": "Accepted"})
        done = await eventually(
            lambda pk=command.pk: Command.objects.filter(pk=pk, finished_at__isnull=False).first()
        )
        assert done.status == "accepted"


async def test_an_answer_that_comes_after_a_sweep_is_kept_as_late(site, server):
    """The gateway lost its lease while the command was out, and the answer came all the same."""
    row = site.stations[0]
    async with socket_of(row, server) as station:
        command = await in_db(
            lambda: queue_command(
                station=row, action="ClearCache", payload={}, acting=Actor.system(site.operator)
            )
        )
        call = await station.expect_call("ClearCache")
        await in_db(lambda: _sweep_as_if_long_ago(command))
        await station.answer(call, {"status": "Accepted"})
        done = await eventually(
            lambda: Command.objects.filter(pk=command.pk, response__isnull=False).first()
        )
    assert (done.status, done.response) == ("timed_out", {"status": "Accepted"})
    assert done.error["late"] is True


def _sweep_as_if_long_ago(command):
    Command.objects.filter(pk=command.pk).update(sent_at=timezone.now() - timedelta(minutes=6))
    assert sweep_commands() >= 1
