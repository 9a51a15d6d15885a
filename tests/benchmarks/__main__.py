"""`make bench`: the session mix against one server process, with everything stored, in messages per CPU-second.

Each round starts a server of its own. Figures per CPU-second travel better between machines than those per
second; compare rows of one run only.
"""

import argparse
import asyncio
import os
import platform
import statistics
import sys
from collections.abc import Iterable
from pathlib import Path
from uuid import uuid4

import psutil

from cms.run.services import Services


def main() -> int:
    """Run the rounds and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--stations", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--server", choices=["daphne", "uvicorn", "both"], default="both")
    arguments = parser.parse_args()
    servers = ["daphne", "uvicorn"] if arguments.server == "both" else [arguments.server]
    var = Path(os.environ.get("VAR", "var")) / "bench"
    with Services(var) as services:
        os.environ |= {
            "DATABASE_URL": services.urls.database,
            "REDIS_URL": services.urls.redis,
            "DJANGO_SETTINGS_MODULE": "cms.settings.test",
        }
        database = psutil.Process(services.postgres.process.pid)
        identities = _prepare(arguments.stations)
        print(
            f"{platform.processor() or platform.machine()}, {os.cpu_count()} CPUs, "
            f"Python {platform.python_version()}, {arguments.stations} stations, "
            f"{arguments.seconds:g} s a round"
        )
        print(
            f"{'server':8} {'msg/s':>7} {'per server CPU-s':>17} {'per DB CPU-s':>13} "
            f"{'per CPU-s in all':>17} {'p50 ms':>7} {'p99 ms':>7} {'boots/s':>8}"
        )
        for _ in range(arguments.rounds):
            for server in servers:
                _round(server, identities, arguments.seconds, database)
    return 0


def _prepare(stations: int) -> list[str]:
    """A fresh tenant with a card and stations of profile 0; returns their identities."""
    import django

    django.setup()
    from django.core.management import call_command

    from accounts.models import IdToken, Operator
    from stations.models import ChargingStation

    call_command("migrate", verbosity=0)
    run = uuid4().hex[:8]
    operator = Operator.objects.create(slug=f"bench-{run}", name="Bench")
    IdToken.objects.create(operator=operator, uid="BENCH")
    rows = [
        ChargingStation(operator=operator, identity=f"B{run}-{n:05d}", security_profile=0)
        for n in range(stations)
    ]
    return [row.identity for row in ChargingStation.objects.bulk_create(rows)]


def _round(server: str, identities: list[str], seconds: float, database: psutil.Process) -> None:
    from tests.benchmarks.load import session_mix
    from tests.server import ServerProcess

    process = ServerProcess(
        uvicorn=server == "uvicorn", env={"DATABASE_URL": os.environ["DATABASE_URL"]}
    )
    process.start()
    try:
        web = psutil.Process(process.pid)
        before = _cpu_s([web]), _cpu_s([database])
        tally = asyncio.run(session_mix(process.ocpp_url, identities, "BENCH", seconds))
        web_s, database_s = _cpu_s([web]) - before[0], _cpu_s([database]) - before[1]
    finally:
        process.stop()
    messages = len(tally.latencies_s)
    milliseconds = [1000 * latency for latency in tally.latencies_s]
    print(
        f"{server:8} {messages / seconds:7.0f} {messages / web_s:17.0f} {messages / database_s:13.0f} "
        f"{messages / (web_s + database_s):17.0f} {statistics.median(milliseconds):7.1f} "
        f"{statistics.quantiles(milliseconds, n=100)[98]:7.1f} {len(identities) / tally.boots_s:8.0f}"
    )
    sys.stdout.flush()


def _cpu_s(roots: Iterable[psutil.Process]) -> float:
    """CPU seconds of processes and their descendants, ended ones that were waited for included."""
    total = 0.0
    for root in roots:
        for process in (root, *root.children(recursive=True)):
            try:
                times = process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += times.user + times.system
            total += (times.children_user + times.children_system) if process == root else 0
    return total


if __name__ == "__main__":
    sys.exit(main())
