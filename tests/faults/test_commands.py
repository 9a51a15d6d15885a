"""Commands when sockets end at the worst moment.

Source: RELIABILITY rule 8; DESIGN §4 (Command).
"""

import pytest

from accounts.services.actors import Actor
from stations.models import Command
from stations.services.commands import queue_command
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
