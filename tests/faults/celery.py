"""Celery's worker and beat as real processes, to be killed and stopped like the server."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from django.utils import timezone

from cms.base.models import OutboxItem
from cms.run.children import ROOT
from cms.run.processes import spawn, stop
from tests.faults.site import Site
from tests.server import test_database_url
from tests.stations.ocpp.conftest import in_db

# The arguments of `make run`, but for the place of beat's notes.
_CELERY = ("-m", "celery", "--app", "cms", "--quiet")
_WORKER = (
    *("worker", "--queues", "urgent,default,slow", "--pool", "threads", "--concurrency", "4"),
    *("--without-gossip", "--without-mingle", "--loglevel", "WARNING"),
)
_BEAT = ("beat", "--pidfile=", "--loglevel", "WARNING")
_GRACE_S = 30


class Program:
    """One Python program; what it says goes to a file, for losing its broker makes Celery talk."""

    def __init__(self, arguments: Sequence[str], log: Path) -> None:
        self.log = log
        self.ends = 0
        self.slowest_end_s = 0.0
        self._arguments = arguments
        self._process = self._spawn()

    def _spawn(self) -> subprocess.Popen[bytes]:
        self.started_at = timezone.now()
        environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "cms.settings.test",
            "DATABASE_URL": test_database_url(),
            "PYTHONWARNINGS": "ignore",
        }
        with self.log.open("ab") as output:
            return spawn(
                [sys.executable, *self._arguments],
                cwd=ROOT,
                env=environment,
                death_signal=signal.SIGKILL,
                output=output,
            )

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    async def end(self, how: signal.Signals) -> None:
        """Kill it, or ask it to end; it must not have ended by itself."""
        assert self.is_running, self.log.read_text(errors="replace")[-4000:]
        self.ends += 1
        if how == signal.SIGKILL:
            self._process.kill()
            await asyncio.to_thread(self._process.wait)
            return
        asked_at = time.monotonic()
        await asyncio.to_thread(stop, self._process, how, _GRACE_S)
        self.slowest_end_s = max(self.slowest_end_s, time.monotonic() - asked_at)
        # Asked before it could hear, it ends by the signal.
        assert self._process.returncode in (0, -how), self._process.returncode

    def start(self) -> None:
        self._process = self._spawn()

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


class Celery:
    """A worker and a beat."""

    def __init__(self, folder: Path) -> None:
        self.worker = Program([*_CELERY, *_WORKER], folder / "worker.log")
        self.beat = Program(
            [*_CELERY, *_BEAT, "--schedule", str(folder / "beat-schedule")], folder / "beat.log"
        )

    @property
    def is_running(self) -> bool:
        return self.worker.is_running and self.beat.is_running

    def close(self) -> None:
        for program in (self.beat, self.worker):
            program.close()


def waiting(site: Site) -> int:
    """Outbox rows of the site's transactions that nobody has worked off."""
    return OutboxItem.objects.filter(
        done_at__isnull=True,
        topic__startswith="transaction.",
        key__in=[str(pk) for pk in site.operator.transactions.values_list("pk", flat=True)],
    ).count()


async def worked_off(site: Site, patience_s: float = 60) -> float:
    """Seconds until the outbox holds nothing of the site's.

    Raises TimeoutError when nothing is done for `patience_s`.
    """
    began_at = progress_at = time.monotonic()
    left = await in_db(lambda: waiting(site))
    while left:
        await asyncio.sleep(0.2)
        now_left = await in_db(lambda: waiting(site))
        if now_left < left:
            left, progress_at = now_left, time.monotonic()
        if time.monotonic() - progress_at > patience_s:
            raise TimeoutError(f"{left} rows of the outbox are not worked off")
    return time.monotonic() - began_at
