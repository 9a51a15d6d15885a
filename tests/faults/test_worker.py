"""Worker and beat end in the middle of their work: what follows a fact still follows, and once.

Source: RELIABILITY check 90; rule 9; DESIGN §4 (outbox).
"""

import asyncio
import random
import signal

import pytest

from cms.base.models import OutboxItem
from tests.faults.celery import waiting, worked_off
from tests.faults.errands import all_over, errands
from tests.faults.fleet import Fleet, Pace
from tests.faults.oracle import judge, judge_errands, judge_sessions
from tests.faults.site import with_stations
from tests.stations.ocpp.conftest import eventually, in_db

# Short sessions: they are what the worker prices.
PACE = Pace(session_s=(1, 4), pause_s=(0.5, 2), sample_interval_s=30, redials_after_s=(0.2, 2))


@pytest.mark.faults
@pytest.mark.parametrize(("ends", "stations"), [(20, 40)])
async def test_sessions_are_priced_once_whatever_ends_the_worker(
    site, server, celery, tmp_path, say, ends, stations
):
    """SIGKILL and SIGTERM in turn, for the worker each time, for beat every second pair."""
    site = await in_db(lambda: with_stations(site, stations))
    rng = random.Random(ends)
    fleet = Fleet(
        site,
        [server.ocpp_url],
        tmp_path / "flash",
        size=stations,
        seed="worker",
        pace=PACE,
        drain_s=180,
    )
    most = 0
    async with fleet.at_work():
        async with errands(site, site.stations, every_s=0.3, seed="worker") as asked:
            for number in range(ends):
                how = signal.SIGKILL if number % 2 else signal.SIGTERM
                await eventually(lambda: _done(site, celery) > 0, timeout_s=60)
                await fleet.acknowledged(stations * rng.choice((4, 8)))
                await celery.worker.end(how)
                if number % 4 > 1:
                    await celery.beat.end(how)
                    celery.beat.start()
                await fleet.acknowledged(stations)
                most = max(most, await in_db(lambda: waiting(site)))
                celery.worker.start()
        await fleet.come_to_rest()
        drained_s = await worked_off(site, patience_s=90)
        await all_over(site)
    verdict = await in_db(lambda: judge(fleet.journal, site.operator))
    await in_db(lambda: judge_sessions(verdict, site.operator))
    await in_db(lambda: judge_errands(verdict, fleet.journal, site.operator, asked.queued))
    say(
        f"worker ended {celery.worker.ends} times (asked to, within {celery.worker.slowest_end_s:.1f} s),"
        f" beat {celery.beat.ends} times, {verdict};"
        f" up to {most} rows waited, all worked off {drained_s:.1f} s after the last stop"
    )
    assert verdict.clean, verdict
    assert verdict.numbers["CDRs"] > ends


def _done(site, celery):
    """Rows that the worker of now has worked off."""
    return OutboxItem.objects.filter(
        done_at__gt=celery.worker.started_at,
        key__in=[str(pk) for pk in site.operator.transactions.values_list("pk", flat=True)],
    ).count()


@pytest.mark.faults
@pytest.mark.parametrize("seconds", [60])
async def test_a_worker_that_was_away_for_long_finds_all_that_waited(
    site, server, celery, tmp_path, say, seconds
):
    fleet = Fleet(
        site, [server.ocpp_url], tmp_path / "flash", size=20, seed="away", pace=PACE, drain_s=180
    )
    async with fleet.at_work():
        await fleet.acknowledged(100)
        await celery.worker.end(signal.SIGKILL)
        await celery.beat.end(signal.SIGKILL)
        await asyncio.sleep(seconds)
        waited = await in_db(lambda: waiting(site))
        celery.worker.start()
        celery.beat.start()
        await fleet.come_to_rest()
        drained_s = await worked_off(site, patience_s=90)
    verdict = await in_db(lambda: judge(fleet.journal, site.operator))
    await in_db(lambda: judge_sessions(verdict, site.operator))
    say(
        f"no worker and no beat for {seconds} s, {waited} rows waited, all worked off"
        f" {drained_s:.1f} s after the last stop, {verdict}"
    )
    assert verdict.clean, verdict
    assert waited > 50
